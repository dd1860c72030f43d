"""What calls leave in the storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def left_behind(api: Any) -> list[Path]:
    return [
        path
        for path in (api.folder / "storage" / api.organization).rglob("*")
        if path.is_file() or path.name == "uploads"
    ]
