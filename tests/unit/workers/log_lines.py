"""Log lines in our form and in the original's."""

from __future__ import annotations

from docfleet.core.log_events import LogEvent, LogLevel, new_event_id


def line(text: str = "x", level: LogLevel = LogLevel.INFO, organization: str = "o") -> LogEvent:
    return LogEvent(
        event_id=new_event_id(), timestamp=1.0, execution_id="e", organization_id=organization, level=level, log=text
    )


ORIGINAL = {
    "timestamp": 1700000000.25,
    "type": "LOG",
    "level": "WARN",
    "stage": "RUN",
    "log": "a line",
    "cost_type": None,
    "cost_units": "",
    "cost_value": None,
    "step": None,
    "iteration": 2,
    "iteration_total": "3",
    "execution_id": "e",
    "file_execution_id": None,
    "organization_id": "o",
}
