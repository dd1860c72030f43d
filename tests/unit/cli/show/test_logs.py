"""The log of an execution on a terminal."""

from __future__ import annotations

import json

from docfleet.cli.show.logs import json_line, line

EVENT = {
    "timestamp": 1.0,
    "level": "INFO",
    "stage": "TOOL",
    "log": "Über \x1b[31m\x9b31m\r\nnext\u2028line \U0001f600 \u202e \U000e0001",
    "component": "",
    "state": "",
    "message": "",
}


def test_a_document_s_text_has_no_power_over_a_terminal_and_is_one_line() -> None:
    for text in (line(EVENT), json_line(EVENT)):
        assert text.isprintable() and "Über" in text and "\U0001f600" in text
    assert json.loads(json_line(EVENT)) == EVENT
