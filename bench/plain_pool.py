"""The tool functions in a ``multiprocessing`` pool: no isolation, no limits, no rows, nothing to recover.

python -m bench.plain_pool FOLDER PROCESSES TOOLS_AS_JSON
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from docfleet.tools.registry import ToolRegistry, load_tool
from docfleet.tools.sdk import run_tool

_tools: list[tuple[Any, dict[str, Any]]] = []


def _one(path: Path) -> bool:
    """All tools on one document, in a folder of its own; whether all succeeded."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(_Discard()):
        folder = Path(name)
        shutil.copyfile(path, folder / "SOURCE")
        (folder / "INFILE").hardlink_to(folder / "SOURCE")
        (folder / "METADATA.json").write_text(json.dumps({"source_name": path.name, "tool_metadata": []}))
        return all(run_tool(tool, settings, folder) == 0 for tool, settings in _tools)


class _Discard(io.TextIOWrapper):
    """Standard output for tools that write bytes below it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")


def main() -> int:
    """Print ``{"wall_seconds", "cpu_seconds", "failed"}``."""
    folder, processes, tools = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    registry = ToolRegistry.load()
    for tool in tools:
        loaded = load_tool(registry.get(tool["tool"]).entry or "")
        loaded.preload()
        _tools.append((loaded, tool["settings"]))
    paths = sorted(folder.iterdir())
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        started = time.monotonic()
        failed = sum(not good for good in pool.imap_unordered(_one, paths, chunksize=1))
        wall = time.monotonic() - started
        pool.close()
        pool.join()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": usage.ru_utime + usage.ru_stime, "failed": failed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
