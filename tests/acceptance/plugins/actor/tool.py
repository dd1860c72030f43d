"""The first word of a document is what the tool does with it; any other document is returned as it is."""

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from pathlib import Path
from typing import Any

from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult

MEGABYTE = 1024**2
MAX_WAIT_SECONDS = 60.0


class Actor(Tool):
    """``{"text": ...}``. With ``stage`` (a folder) a document that says ``wait`` waits for the file ``open`` in it."""

    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        text = context.input_path.read_bytes().decode("utf-8", "replace")
        action = getattr(self, f"do_{text.split(maxsplit=1)[0]}", None) if text.split() else None
        if action is not None:
            action(Path(settings["stage"]), context)
        output = {"text": text, "name": context.source_name}
        return ToolResult(output, OutputType.JSON, pages=1, usage={"total_tokens": 1})

    def do_wait(self, stage: Path, context: RunContext) -> None:
        name = hashlib.sha256(context.source_name.encode()).hexdigest()[:16]
        (stage / f"{name}.{os.getpid()}.started").write_text(context.source_name)
        until = time.monotonic() + MAX_WAIT_SECONDS
        while not (stage / "open").exists() and time.monotonic() < until:
            time.sleep(0.02)

    def do_nap(self, stage: Path, context: RunContext) -> None:
        time.sleep(float(context.input_path.read_bytes().split()[1]))

    def do_crash(self, stage: Path, context: RunContext) -> None:
        ctypes.string_at(0)

    def do_hang(self, stage: Path, context: RunContext) -> None:
        while True:
            time.sleep(60)

    def do_eat(self, stage: Path, context: RunContext) -> None:
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1)) * (8 * MEGABYTE))

    def do_flood(self, stage: Path, context: RunContext) -> None:
        with (context.folder / "FLOOD").open("wb") as stream:
            for _ in range(1024):
                stream.write(b"x" * MEGABYTE)

    def do_nest(self, stage: Path, context: RunContext) -> None:
        """Output of as many levels as the document says."""
        levels = int(context.input_path.read_bytes().split()[1])
        self._leave(context, "[" * levels + "]" * levels, "{}")

    def do_count(self, stage: Path, context: RunContext) -> None:
        """Usage of as many levels as the document says."""
        levels = int(context.input_path.read_bytes().split()[1])
        self._leave(context, "{}", '{"a":' * levels + "1" + "}" * levels)

    def do_print(self, stage: Path, context: RunContext) -> None:
        """Lines that look like the protocol's."""
        for levels in (900, 5000, 100_000):
            print('{"type": "RESULT", "result": {"a": ' + "[" * levels + "]" * levels + "}}", flush=True)

    def _leave(self, context: RunContext, output: str, usage: str) -> None:
        metadata = (context.folder / "METADATA.json").read_text()
        entry = '{"tool_name": "actor", "elapsed_time": 0.1, "output_type": "JSON", "usage": ' + usage + "}"
        assert '"tool_metadata":[]' in metadata
        (context.folder / "METADATA.json").write_text(
            metadata.replace('"tool_metadata":[]', f'"tool_metadata":[{entry}]')
        )
        (context.folder / "INFILE").unlink()
        (context.folder / "INFILE").write_text(output)
        os._exit(0)

    def do_fail(self, stage: Path, context: RunContext) -> None:
        raise RuntimeError("words " * (MEGABYTE // 6))

    def do_leave(self, stage: Path, context: RunContext) -> None:
        os._exit(0)


tool = Actor(Path(__file__).parent / "config")
