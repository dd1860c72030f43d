"""A built-in tool on a text: its result, and the lines it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docfleet.tools import protocol
from docfleet.tools.protocol import LogMessage
from docfleet.tools.sdk import Tool, run_tool

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a tool on text that an earlier tool left (``earlier`` entries); its JSON, or the error line."""

    def run_it(
        tool: Tool,
        text: bytes,
        settings: dict[str, Any],
        *,
        earlier: int = 1,
        fails: bool = False,
        source: bytes = b"the document",
    ) -> Any:
        entry = {"tool_name": "text_extractor", "elapsed_time": 1, "output_type": "TXT", "pages": 2}
        metadata = {"source_name": "d ö.txt", "tool_metadata": [entry] * earlier}
        (tmp_path / "METADATA.json").write_text(json.dumps(metadata))
        (tmp_path / "INFILE").write_bytes(text)
        (tmp_path / "SOURCE").write_bytes(source)
        code = run_tool(tool, settings, tmp_path)
        lines = [protocol.parse_line(line.encode()) for line in capfd.readouterr().out.splitlines()]
        errors = [line for line in lines if isinstance(line, LogMessage) and line.error_code]
        assert code == fails, errors
        return errors[0] if fails else json.loads((tmp_path / "INFILE").read_bytes())

    return run_it
