"""The tool registry of this process, read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from docfleet.tools.registry import ToolRegistry


@lru_cache(maxsize=4)
def load_registry(folder: str | None) -> ToolRegistry:
    """The built-in tools and those of ``folder``. Raises ``ConfigurationError``."""
    return ToolRegistry.load(Path(folder) if folder else None)
