"""The tool protocol: lines, metadata and the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.errors import ToolResultInvalid
from docfleet.tools import protocol
from docfleet.tools.protocol import LogMessage, OutputType, ResultMessage, SpecMessage, ToolLogLevel, UpdateMessage


@pytest.mark.parametrize(
    "message",
    [
        LogMessage(log="räksmörgås", level=ToolLogLevel.ERROR, error_code="password_required"),
        SpecMessage(spec='{"type": "object"}'),
        UpdateMessage(state="INPUT_UPDATE", message="x"),
        ResultMessage(result={"elapsed_time": 1.5}),
    ],
)
def test_a_line_survives_the_round_trip(message: Any) -> None:
    line = protocol.encode_line(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert protocol.parse_line(line) == message
    assert json.loads(line)["emitted_at"].endswith("+00:00")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"plain output",
        b"{",
        b'{"type":"LOG"}',
        b'{"type":"NONSENSE","x":1}',
        b'{"a":1}',
        b"[1]",
        b'{"type":"LOG","log":"\xff"}',
    ],
)
def test_what_is_no_message_is_ignored(line: bytes) -> None:
    assert protocol.parse_line(line) is None


def test_unknown_keys_of_a_message_are_ignored() -> None:
    message = protocol.parse_line(b'{"type":"LOG","log":"x","later":1}')
    assert isinstance(message, LogMessage) and message.level is ToolLogLevel.INFO


def _folder(tmp_path: Path, *entries: dict[str, Any], infile: bytes | None = b"{}") -> Path:
    (tmp_path / "METADATA.json").write_text(
        json.dumps({"source_name": "a", "other": 1, "tool_metadata": list(entries)})
    )
    if infile is not None:
        (tmp_path / "INFILE").write_bytes(infile)
    return tmp_path


ENTRY = {"tool_name": "t", "elapsed_time": 0.5, "output_type": "JSON", "later_key": 1}


def test_the_verdict_is_the_one_new_entry(tmp_path: Path) -> None:
    verdict = protocol.read_verdict(_folder(tmp_path, ENTRY, ENTRY | {"tool_name": "u", "pages": 3}), steps_before=1)
    assert (verdict.tool_name, verdict.pages, verdict.output_type) == ("u", 3, OutputType.JSON)


@pytest.mark.parametrize(
    ("entries", "before", "infile", "words"),
    [
        ([], 0, b"{}", "recorded 0 results"),
        ([ENTRY], 1, b"{}", "recorded 0 results"),
        ([ENTRY, ENTRY], 0, b"{}", "recorded 2 results"),
        ([ENTRY | {"output_type": "XML"}], 0, b"{}", "cannot be read"),
        ([{"tool_name": "t"}], 0, b"{}", "cannot be read"),
        ([ENTRY], 0, None, "left no INFILE"),
        ([ENTRY], 0, b"not json", "does not parse"),
        ([ENTRY], 0, b"", "does not parse"),
        ([ENTRY], 0, b'"\xff"', "does not parse"),
    ],
)
def test_an_invalid_result_names_its_fault(
    tmp_path: Path, entries: list[Any], before: int, infile: bytes | None, words: str
) -> None:
    with pytest.raises(ToolResultInvalid, match=words):
        protocol.read_verdict(_folder(tmp_path, *entries, infile=infile), before)


def test_a_missing_or_broken_metadata_file_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ToolResultInvalid, match="holds no METADATA"):
        protocol.read_verdict(tmp_path, 0)
    (tmp_path / "METADATA.json").write_text('{"tool_metadata": [')
    with pytest.raises(ToolResultInvalid, match="cannot be read"):
        protocol.read_verdict(tmp_path, 0)


def test_a_link_is_no_output(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ENTRY, infile=None)
    (folder / "secret").write_text("{}")
    (folder / "INFILE").symlink_to(folder / "secret")
    with pytest.raises(ToolResultInvalid, match="left no INFILE"):
        protocol.read_verdict(folder, 0)


def test_text_may_be_empty(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ENTRY | {"output_type": "TXT"}, infile=b"")
    assert protocol.read_verdict(folder, 0).output_type is OutputType.TXT
