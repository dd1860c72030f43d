"""Describe the document and copy it to the destination folder; nothing heavy is imported."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, override

from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult


class Passthrough(Tool):
    """``{"file", "size", "sha256", "mime"}``; with ``copy`` (the default) the document goes to COPY_TO_FOLDER."""

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        source = context.source_path
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if settings["copy"]:
            context.copy_source()
        output = {
            "file": context.source_name,
            "size": source.stat().st_size,
            "sha256": digest,
            "mime": context.source_mime,
        }
        return ToolResult(output, OutputType.JSON)


tool = Passthrough(Path(__file__).parent / "config")
