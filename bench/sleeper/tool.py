"""A tool that sleeps or computes for a time: to be killed by a stop, or to keep a slot busy."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, override

from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult


class Sleeper(Tool):
    """Makes a file in the folder ``stage``, if there is one, and sleeps ``seconds``; ``computing``, it takes them of a
    processor."""

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        if settings["stage"]:
            (Path(settings["stage"]) / uuid.uuid4().hex).touch()
        if settings["computing"]:
            end = time.process_time() + settings["seconds"]
            while time.process_time() < end:
                pass
        else:
            time.sleep(settings["seconds"])
        return ToolResult({}, OutputType.JSON)


tool = Sleeper(Path(__file__).parent / "config")
