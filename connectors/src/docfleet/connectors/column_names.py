"""The column of a field in split mode: the same for every file, whatever other fields a result has."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from docfleet.connectors.base import ColumnMode
from docfleet.core.errors import DestinationRejected

MAX_NAME_BYTES = 63
"""PostgreSQL's limit; the rule is the same for all databases."""

SYSTEM_COLUMNS = ("ctid", "cmin", "cmax", "xmin", "xmax", "tableoid")
"""Every table of PostgreSQL has these, and takes no other column of such a name."""
_SUFFIX = "_field"
_HASH_DIGITS = 8


def columns_of(result: Mapping[str, Any], reserved: Iterable[str]) -> dict[str, Any]:
    """The values of a result by column. Raises ``DestinationRejected`` when two fields have one column."""
    ours = {name.casefold() for name in (*reserved, *SYSTEM_COLUMNS)}
    columns: dict[str, Any] = {}
    fields: dict[str, str] = {}
    for field, value in result.items():
        name = column_name(field, ours)
        other = fields.setdefault(name.casefold(), field)
        if other != field:
            raise DestinationRejected(
                f"the result has the fields {other[:80]!r} and {field[:80]!r}, which are one column ({name}): "
                f"rename one, or use {ColumnMode.SINGLE}"
            )
        columns[name] = value
    return columns


def column_name(field: str, ours: Collection[str]) -> str:
    """The column of ``field``; ``ours`` are names, casefolded, that have a meaning of their own.

    A field that is an identifier, in any script, is its own column; blanks between words become ``_``, and a digit in
    front gets a ``_`` before it. A reserved name gets the suffix ``_field``. In any other name each run of other
    characters becomes ``_``, and a hash of the field tells it from others that are alike.
    """
    field = unicodedata.normalize("NFC", field)
    words = field.split(" ")
    name = _started("_".join(words))
    if all(_is_word(word) for word in words) and not _is_suffixed(name, ours):
        name = name + _SUFFIX if name.casefold() in ours else name
        if len(name.encode()) <= MAX_NAME_BYTES:
            return name
    kept = "".join(character if _is_word(character) else " " for character in field)
    stem = _started("_".join(kept.split()).strip("_") or "field")
    digest = hashlib.sha256(field.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{stem.encode()[: MAX_NAME_BYTES - 1 - _HASH_DIGITS].decode('utf-8', 'ignore')}_{digest}"


def _is_word(text: str) -> bool:
    return bool(text) and f"_{text}".isidentifier()


def _started(name: str) -> str:
    return name if name.isidentifier() else f"_{name}"


def _is_suffixed(name: str, ours: Collection[str]) -> bool:
    """Whether a reserved name with its suffix would be this one."""
    return name.casefold().removesuffix(_SUFFIX) in ours and name.casefold() not in ours
