"""The manifest of a call: its files in the order they came, one item of the answer per file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from docfleet.backend.calls.staging import StagedFile
from docfleet.core.errors import ToolUnknown
from docfleet.tools.registry import ToolRegistry
from docfleet.tools.sdk import media


def build(files: list[StagedFile], tools: ToolRegistry, first_tool: str | None) -> list[dict[str, Any]]:
    """One item per file: ``name`` (unique), ``file_hash``, ``file_size``, ``mime_type``, ``staged`` (its path on the
    storage), ``same_as`` (the index of the item with the same content) and ``rejection`` (why it is not processed).

    A file of a type that ``first_tool`` does not accept is removed from the storage.
    """
    allowed = _allowed(tools, first_tool)
    types = [media.detect(file.path, file.name) for file in files]
    taken = [allowed is None or mime_type in allowed for mime_type in types]
    first: dict[str, int] = {}
    for index in sorted(range(len(files)), key=lambda index: not taken[index]):
        # The type of plain text is in its name: content is accepted when the type of one of its names is.
        first.setdefault(files[index].file_hash, index)
    items: list[dict[str, Any]] = []
    names: set[str] = set()
    for index, file in enumerate(files):
        name, known = _unique(file.name, names), first[file.file_hash]
        names.add(name)
        rejection = None
        if allowed is not None and not taken[known]:
            rejection = f"unsupported file type: {types[known]}; this API takes {', '.join(sorted(allowed))}"
            file.path.unlink(missing_ok=True)
        items.append(
            {
                "name": name,
                "file_hash": file.file_hash,
                "file_size": file.file_size,
                "mime_type": types[known],
                "staged": None if rejection else file.key,
                "same_as": None if known == index else known,
                "rejection": rejection,
            }
        )
    return items


def _allowed(tools: ToolRegistry, tool_id: str | None) -> frozenset[str] | None:
    try:
        properties = tools.get(tool_id).properties if tool_id is not None else {}
    except ToolUnknown:
        return None  # the run fails with the tool's name
    allowed = properties.get("restrictions", {}).get("allowedFileTypes", ["*"])
    return None if "*" in allowed else frozenset(allowed)


def _unique(name: str, taken: set[str]) -> str:
    path, number, unique = PurePosixPath(name), 1, name
    while unique in taken:
        number += 1
        unique = f"{path.stem} ({number}){path.suffix}"
    return unique
