"""Counts its runs in files, fails and waits while a file says so, and adds its name to the document."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

from docfleet.core.errors import ToolFailed
from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult

MAX_WAIT_SECONDS = 60.0


class Counter(Tool):
    """``{name}.{document}.{random}.run`` in ``folder`` is a run; ``{name}.{document}.fail`` and ``{name}.hold`` are
    orders to its tools."""

    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        folder, name = Path(settings["folder"]), settings["name"]
        (folder / f"{name}.{context.source_name}.{uuid.uuid4().hex[:8]}.run").write_text(str(os.getpid()))
        until = time.monotonic() + MAX_WAIT_SECONDS
        while (folder / f"{name}.hold").exists() and time.monotonic() < until:
            time.sleep(0.02)
        if (folder / f"{name}.{context.source_name}.fail").exists():
            raise ToolFailed("told to fail")
        text = context.input_path.read_text()
        return ToolResult(f"{text} {name}", OutputType.TXT, pages=1, usage={"total_tokens": 1})


tool = Counter(Path(__file__).parent / "config")
