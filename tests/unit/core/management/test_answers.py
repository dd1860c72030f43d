"""Answers of the management API: every key is sent, and a caller reads what the backend sends."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import msgspec
import pytest

from docfleet.core import management
from docfleet.core.execution import ExecutionInfo
from docfleet.core.files import Tag
from docfleet.core.management.executions import ExecutionSummary, ListedExecution
from docfleet.core.management.logs import LogFrame, LogLine
from docfleet.core.status import ExecutionStatus

TYPES = [
    value
    for module in pkgutil.iter_modules(management.__path__)
    for value in vars(importlib.import_module(f"{management.__name__}.{module.name}")).values()
    if isinstance(value, type)
    and issubclass(value, msgspec.Struct)
    and value.__module__.startswith(management.__name__)
]
INFO = ExecutionInfo(id="e", workflow_id="w", status=ExecutionStatus.ERROR, tags=[Tag(id="t")])
LINE: dict[str, Any] = {
    "sequence": 1,
    "event_id": "1",
    "timestamp": 1.0,
    "type": "LOG",
    "level": "INFO",
    "stage": "",
    "file_execution_id": None,
    "log": "",
    "component": "",
    "state": "",
    "message": "",
}


@pytest.mark.parametrize("answer", TYPES, ids=lambda answer: answer.__name__)
def test_no_key_is_left_out(answer: type[msgspec.Struct]) -> None:
    assert not answer.__struct_config__.omit_defaults
    assert answer.__doc__, "a type of the API says what it is"


def test_a_summary_has_every_key_of_an_execution_and_of_its_tags() -> None:
    shown = msgspec.to_builtins(ExecutionSummary.of(INFO))
    assert set(shown) == set(ExecutionInfo.__struct_fields__)
    assert shown["retry_of"] is None and shown["execution_mode"] == "QUEUE"
    assert shown["tags"] == [{"id": "t", "name": "", "description": ""}]
    listed = ListedExecution.of(INFO, retries=["r"])
    assert msgspec.to_builtins(listed) == {**shown, "retries": ["r"]}


def test_a_line_has_its_optional_keys_only_where_they_were_given() -> None:
    line = msgspec.convert(LINE, LogLine)
    assert msgspec.to_builtins(line) == LINE
    assert msgspec.to_builtins(msgspec.structs.replace(line, step=2)) == {**LINE, "step": 2}


def test_a_frame_holds_lines_or_the_end() -> None:
    lines = msgspec.json.encode(LogFrame(events=[], last_event_id=3))
    assert msgspec.json.decode(lines) == {"events": [], "last_event_id": 3}
    end = msgspec.json.encode(LogFrame(end=True, status=ExecutionStatus.COMPLETED, last_event_id=3))
    assert msgspec.json.decode(end) == {"end": True, "status": "COMPLETED", "last_event_id": 3}
    assert not msgspec.json.decode(end, type=LogFrame).events
