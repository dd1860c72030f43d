"""The text extractor on a document made by the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docfleet.tools import protocol
from docfleet.tools.builtin.text_extractor.tool import tool
from docfleet.tools.protocol import LogMessage
from docfleet.tools.sdk import run_tool
from tests.unit.tools.builtin.text_extractor.documents import Extract


@pytest.fixture
def extract(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Extract:
    """Run the tool; the text, or the object for ``output="json"``, or the error message for ``fails=True``."""

    def run(content: bytes, name: str = "document", *, fails: bool = False, **settings: Any) -> Any:
        (tmp_path / "METADATA.json").write_text(json.dumps({"source_name": name, "tool_metadata": []}))
        for copy in ("INFILE", "SOURCE"):
            (tmp_path / copy).write_bytes(content)
        code = run_tool(tool, settings, tmp_path)
        lines = [protocol.parse_line(line.encode()) for line in capfd.readouterr().out.splitlines()]
        errors = [line for line in lines if isinstance(line, LogMessage) and line.error_code]
        assert code == fails, errors
        if fails:
            return errors[0]
        text = (tmp_path / "INFILE").read_bytes().decode("utf-8")
        return json.loads(text) if settings.get("output") == "json" else text

    return run
