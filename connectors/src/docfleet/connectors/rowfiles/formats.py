"""One row as the content of a file, and back.

A format is written and read by the same module, so that the digest of a delivery and the one that ``verify`` computes
are of the same values. Every file has its own columns; readers unite them by name.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from docfleet.connectors.columns import ColumnKind
from docfleet.connectors.rows import dump_json, readable

Kinds = Mapping[str, ColumnKind]
"""The kind of each column."""


class RowFormat(Protocol):
    """A file format that holds one row in a file."""

    suffix: str
    """Of the file name, with the dot."""

    def encode(self, row: Mapping[str, Any], kinds: Kinds) -> bytes:
        """The content of the file: the columns of ``row`` in their order, each of its kind."""

    def decode(self, content: bytes, kinds: Kinds) -> dict[str, Any]:
        """The row; ``kinds`` names those columns whose kind the file does not say. Raises ``ValueError``."""


class JsonLines:
    """One JSON object a line, in UTF-8."""

    suffix = ".jsonl"

    def encode(self, row: Mapping[str, Any], kinds: Kinds) -> bytes:
        """See ``RowFormat``."""
        values = {name: readable(value) for name, value in row.items()}
        return (dump_json(values) + "\n").encode()

    def decode(self, content: bytes, kinds: Kinds) -> dict[str, Any]:
        """See ``RowFormat``."""
        row = json.loads(content)
        if isinstance(row, dict):
            return row
        raise ValueError("the line is not a JSON object")


_FIELD = re.compile(r'(?:"(?P<text>(?:[^"]|"")*)"|(?P<bare>[^",\r\n]*))(?P<end>,|\r\n|\Z)')
_BARE: dict[str, Any] = {"": None, "True": True, "False": False}
_FORMULA = re.compile(r"'*(?:[=@\t\r]|[+\-](?![\d\s.,()/+\-]*\Z))")
"""The beginning of a text that a spreadsheet computes. A signed number, such as -5.20 or +49 30 1234, is none."""


class Csv:
    """A line of column names and a line of values, by RFC 4180 in UTF-8.

    Texts are in quotes; numbers, ``True``, ``False`` and null (nothing at all) are not. Lists and objects are JSON
    text. With ``escape_formulas`` a text that a spreadsheet would take for a formula gets an apostrophe before it, and
    loses it when it is read here.
    """

    suffix = ".csv"

    def __init__(self, *, escape_formulas: bool) -> None:
        self._escapes = escape_formulas

    def encode(self, row: Mapping[str, Any], kinds: Kinds) -> bytes:
        """See ``RowFormat``."""
        text = io.StringIO(newline="")
        lines = csv.writer(text, quoting=csv.QUOTE_STRINGS, lineterminator="\r\n")
        lines.writerow(row)
        lines.writerow([self._cell(value) for value in row.values()])
        return text.getvalue().encode()

    def decode(self, content: bytes, kinds: Kinds) -> dict[str, Any]:
        """See ``RowFormat``. A list or an object of a column that ``kinds`` does not name stays its JSON text."""
        lines = list(_lines(content.decode()))
        if len(lines) != 2 or len(lines[0]) != len(lines[1]):
            raise ValueError("the file is not a line of names and a line of values")
        return {
            str(name): json.loads(value) if kinds.get(str(name)) is ColumnKind.JSON and value else self._value(value)
            for name, value in zip(*lines, strict=True)
        }

    def _cell(self, value: Any) -> Any:
        value = readable(value)
        if isinstance(value, dict | list):
            return dump_json(value)
        return f"'{value}" if self._escapes and isinstance(value, str) and _FORMULA.match(value) else value

    def _value(self, value: Any) -> Any:
        is_escaped = self._escapes and isinstance(value, str) and value[:1] == "'" and _FORMULA.match(value)
        return value[1:] if is_escaped else value


def _lines(text: str) -> Iterator[list[Any]]:
    """The records: a text where there are quotes, else null, a number or a truth value."""
    position, line = 0, []
    while position < len(text):
        match = _FIELD.match(text, position)
        if match is None:
            raise ValueError(f"the file is not CSV at character {position}")
        position = match.end()
        quoted, bare = match["text"], match["bare"]
        line.append(
            quoted.replace('""', '"') if quoted is not None else _BARE.get(bare) if bare in _BARE else json.loads(bare)
        )
        if match["end"] != ",":
            yield line
            line = []
