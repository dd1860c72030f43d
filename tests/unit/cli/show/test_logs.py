"""The log of an execution on a terminal."""

from __future__ import annotations

import json

import msgspec

from docfleet.cli.show.logs import json_line, line
from docfleet.core.log_events import LogLevel, LogType
from docfleet.core.management.logs import LogLine

EVENT = LogLine(
    sequence=1,
    event_id="1",
    timestamp=1.0,
    type=LogType.LOG,
    level=LogLevel.INFO,
    stage="TOOL",
    file_execution_id=None,
    log="Über \x1b[31m\x9b31m\r\nnext\u2028line \U0001f600 \u202e \U000e0001",
)


def test_a_document_s_text_has_no_power_over_a_terminal_and_is_one_line() -> None:
    for text in (line(EVENT), json_line(EVENT)):
        assert text.isprintable() and "Über" in text and "\U0001f600" in text
    assert json.loads(json_line(EVENT)) == msgspec.to_builtins(EVENT)
