"""The manifest of a call: its files in the order they came, each one item of the answer."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from docfleet.backend.uploads.staging import StagedFile
from docfleet.core.errors import ToolUnknown
from docfleet.tools.registry import ToolRegistry
from docfleet.tools.sdk import media


def build(files: list[StagedFile], tools: ToolRegistry, first_tool: str | None) -> list[dict[str, Any]]:
    """One item a file: ``name`` (unique), ``file_hash``, ``file_size``, ``mime_type``, ``staged`` (its place on the
    storage), ``same_as`` (the index of the item with the same content) and ``rejection`` (why it is not run).

    A file of a type that ``first_tool`` does not take is removed from the storage.
    """
    allowed = _allowed(tools, first_tool)
    items: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    names: set[str] = set()
    for index, file in enumerate(files):
        name = _unique(file.name, names)
        names.add(name)
        item: dict[str, Any] = {"name": name, "file_hash": file.file_hash, "file_size": file.file_size}
        known = first.setdefault(file.file_hash, index)
        if known != index:
            same = {key: items[known][key] for key in ("mime_type", "staged", "rejection")}
            items.append({**item, **same, "same_as": known})
            continue
        mime_type = media.detect(file.path, file.name)
        rejection = None
        if allowed is not None and mime_type not in allowed:
            rejection = f"unsupported file type: {mime_type}; this API takes {', '.join(sorted(allowed))}"
            file.path.unlink(missing_ok=True)
        staged = None if rejection else file.key
        items.append({**item, "mime_type": mime_type, "staged": staged, "same_as": None, "rejection": rejection})
    return items


def _allowed(tools: ToolRegistry, tool_id: str | None) -> frozenset[str] | None:
    try:
        properties = tools.get(tool_id).properties if tool_id is not None else {}
    except ToolUnknown:
        return None  # the run says so, with the tool's name
    allowed = properties.get("restrictions", {}).get("allowedFileTypes", ["*"])
    return None if "*" in allowed else frozenset(allowed)


def _unique(name: str, taken: set[str]) -> str:
    path, number, unique = PurePosixPath(name), 1, name
    while unique in taken:
        number += 1
        unique = f"{path.stem} ({number}){path.suffix}"
    return unique
