"""A tool that marks its start and sleeps, to be killed by a stop."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, override

from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult

SECONDS = 300.0


class Sleeper(Tool):
    """Makes a file in the folder ``stage`` and sleeps for longer than any measurement takes."""

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        (Path(settings["stage"]) / uuid.uuid4().hex).touch()
        time.sleep(SECONDS)
        return ToolResult({}, OutputType.JSON)


tool = Sleeper(Path(__file__).parent / "config")
