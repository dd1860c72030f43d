"""A tool that marks its start and sleeps: to be killed by a stop, or to take a known time."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, override

from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult


class Sleeper(Tool):
    """Makes a file in the folder ``stage``, where one is given, and sleeps for ``seconds``: by default longer than any
    measurement takes."""

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        if settings["stage"]:
            (Path(settings["stage"]) / uuid.uuid4().hex).touch()
        time.sleep(settings["seconds"])
        return ToolResult({}, OutputType.JSON)


tool = Sleeper(Path(__file__).parent / "config")
