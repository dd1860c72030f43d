"""Reads a folder of labels: one JSON file a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.errors import InvalidInput

_SUFFIX = ".json"


class Labels:
    """The expected results, by the path of the document below the source.

    The label of ``a/x.pdf`` is ``a/x.pdf.json`` or ``a/x.json``, and holds the object that is expected. A list of one
    object is that object.
    """

    def __init__(self, folder: Path) -> None:
        """Read all. Raises ``InvalidInput``."""
        if not folder.is_dir():
            raise InvalidInput(f"{folder}: no such folder: --labels names a folder with a JSON file for each document")
        self._by_path = {
            path.relative_to(folder).as_posix().removesuffix(_SUFFIX): _read(path)
            for path in sorted(folder.rglob(f"*{_SUFFIX}"))
        }
        if not self._by_path:
            raise InvalidInput(f"{folder}: holds no label: the label of x.pdf is x.json or x.pdf.json")

    @property
    def fields(self) -> list[str]:
        """Every field that some label names, in order of appearance."""
        return list(dict.fromkeys(name for label in self._by_path.values() for name in label))

    @property
    def paths(self) -> list[str]:
        """The paths of all labels, without their suffix."""
        return list(self._by_path)

    def find(self, document: str) -> tuple[str, dict[str, Any]] | None:
        """The label of a document and its path, or None."""
        stem = document.rpartition(".")[0] if "." in document.rpartition("/")[2] else document
        for path in (document, stem):
            if path in self._by_path:
                return path, self._by_path[path]
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        label = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path}: not valid JSON: {error}") from error
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if not isinstance(label, dict):
        raise InvalidInput(f"{path}: a label is an object of the fields that are expected")
    return label
