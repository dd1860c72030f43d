"""Columns of tables, independent of the database: what kinds there are, and which values fit into them.

A value is stored without loss or refused. What a database does on its own is not left to it: it rounds to a scale, and
reads a date by the order of its server.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, assert_never

from docfleet.connectors.base import ColumnMode
from docfleet.core.errors import DestinationRejected

WHOLE_IN_DOUBLE = 2**53
"""Up to here a float holds every whole number."""
_INT64 = range(-(2**63), 2**63)
_SIGNIFICANT_DIGITS = 15
"""Of a float; beyond them stands what binary fractions cannot express."""
_EVERY_DIGIT = Context(prec=1100)
"""Python's own context rounds to 28 digits, and refuses to look at the 30th."""


class ColumnKind(StrEnum):
    """What a column holds, independent of the type names of the database."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    NUMBER = "number"
    """Integers and fractions, each exact."""
    BOOLEAN = "boolean"
    JSON = "json"
    TIMESTAMP = "timestamp"
    DATE = "date"
    ARRAY = "array"
    BINARY = "binary"
    """No value of JSON is one."""
    OTHER = "other"
    """A type of the database that text is written into; the database decides which text it takes."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a column takes. Bounds are those of a table that Docfleet did not make."""

    kind: ColumnKind
    name: str = ""
    """The type as the database writes it, for messages."""
    length: int | None = None
    """The most characters of a text."""
    labels: tuple[str, ...] = ()
    """The texts of an enumeration."""
    bits: int = 64
    """The size of an integer or a float."""
    precision: int | None = None
    scale: int | None = None
    """Digits of a number: all of them, and those after the point."""
    fraction: int = 6
    """Digits of a timestamp's seconds after the point."""
    has_zone: bool = True
    """Whether a timestamp knows its time zone."""
    item: ColumnType | None = None
    """The type of an array's items."""

    def __str__(self) -> str:
        return self.name or self.kind


def kind_of(value: Any) -> ColumnKind | None:
    """The kind of column made for a value; ``None`` for null, which has no type."""
    match value:
        case None:
            return None
        case bool():
            return ColumnKind.BOOLEAN
        case int():
            return ColumnKind.INTEGER if value in _INT64 else ColumnKind.TEXT
        case float():
            return ColumnKind.FLOAT
        case dict() | list():
            return ColumnKind.JSON
        case datetime():
            return ColumnKind.TIMESTAMP
    return ColumnKind.TEXT


def column_kind(value: Any) -> ColumnKind | None:
    """The kind of data column to make for a value: the next file may have a fraction where this one has an integer."""
    kind = kind_of(value)
    return ColumnKind.NUMBER if kind in (ColumnKind.INTEGER, ColumnKind.FLOAT) else kind


class _Misfit(Exception):
    """Why a value does not fit; the message completes "does not take"."""


def fitted(cells: Mapping[str, Any], names: Mapping[str, str], types: Mapping[str, ColumnType]) -> dict[str, Any]:
    """The values under the table's own column names (``names``, by casefold), each fitted to its column.

    Raises ``DestinationRejected`` for one that does not fit.
    """
    known = {names[name.casefold()]: value for name, value in cells.items() if name.casefold() in names}
    return {name: fit(name, types[name], value) for name, value in known.items()}


def fit(column: str, column_type: ColumnType, value: Any) -> Any:
    """``value`` in the form that the existing column accepts without loss; a text column accepts everything.

    Raises ``DestinationRejected`` naming the column, its type and what about the value does not fit.
    """
    try:
        return _fitted(column_type, value)
    except _Misfit as misfit:
        raise DestinationRejected(
            f"column {column!r} is of type {column_type} and does not take {misfit}: "
            f"change the column's type, or use {ColumnMode.SINGLE}"
        ) from None


def _fitted(column_type: ColumnType, value: Any) -> Any:
    if value is None:
        return None
    match column_type.kind:
        case ColumnKind.JSON:
            return value.isoformat() if isinstance(value, datetime) else value
        case ColumnKind.TEXT:
            return _bounded_text(column_type, text_of(value))
        case ColumnKind.INTEGER:
            return _integer(column_type, value)
        case ColumnKind.FLOAT:
            return _float(column_type, value)
        case ColumnKind.NUMBER:
            return _number(column_type, value)
        case ColumnKind.BOOLEAN:
            if isinstance(value, bool):
                return value
        case ColumnKind.TIMESTAMP:
            return _timestamp(column_type, value)
        case ColumnKind.DATE:
            return _date(value)
        case ColumnKind.ARRAY:
            if isinstance(value, list) and column_type.item is not None:
                return _items(column_type.item, value)
        case ColumnKind.BINARY:
            pass
        case ColumnKind.OTHER:
            return text_of(value)
        case unknown:
            assert_never(unknown)
    raise _mistyped(value)


def _mistyped(value: Any) -> _Misfit:
    return _Misfit(f"a value of type {type(value).__name__}")


def _items(item: ColumnType, values: list[Any]) -> list[Any]:
    """Each item fitted. Lists within are further dimensions, unless the items are JSON."""
    return [
        _items(item, value) if isinstance(value, list) and item.kind is not ColumnKind.JSON else _fitted(item, value)
        for value in values
    ]


def _bounded_text(column_type: ColumnType, text: str) -> str:
    if column_type.labels and text not in column_type.labels:
        raise _Misfit(f"the text {text[:80]!r}, which is none of {', '.join(column_type.labels)[:500]}")
    if column_type.length is not None and len(text) > column_type.length:
        raise _Misfit(f"a text of {len(text)} characters")
    return text


def _integer(column_type: ColumnType, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise _mistyped(value)
    limit = 1 << (column_type.bits - 1)
    if not -limit <= int(value) < limit:
        raise _Misfit(f"a value of type {type(value).__name__} beyond {column_type.bits} bits")
    return int(value)


def _float(column_type: ColumnType, value: Any) -> float:
    if kind_of(value) not in (ColumnKind.INTEGER, ColumnKind.FLOAT):
        raise _mistyped(value)
    shown = float(value)
    if column_type.precision is not None and float(f"{shown:.{column_type.precision}g}") != shown:
        raise _Misfit(f"a number of more than {column_type.precision} digits")
    # The database shows a float of 32 bits in the shortest notation that is this float.
    if shown != value or (column_type.bits == 32 and _shortest_32(shown) != shown):
        raise _Misfit("a number of so many digits")
    return shown


def _shortest_32(value: float) -> float | None:
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        return None
    near = struct.unpack("f", packed)[0]
    shown = (float(f"{near:.{digits}g}") for digits in range(6, 10))
    return next((each for each in shown if struct.pack("f", each) == packed), None)


def _number(column_type: ColumnType, value: Any) -> Any:
    if kind_of(value) not in (ColumnKind.INTEGER, ColumnKind.FLOAT):
        raise _mistyped(value)
    if column_type.precision is None:
        return value
    scale = column_type.scale or 0
    exact = Decimal(repr(value))
    if _fraction_digits(exact) > scale:
        exact = Decimal(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    if _fraction_digits(exact) > scale:
        raise _Misfit(f"a number of more than {scale} digits after the point")
    if abs(exact) >= 10 ** (column_type.precision - scale):
        raise _Misfit(f"a number of more than {column_type.precision - scale} digits before the point")
    return exact


def _fraction_digits(exact: Decimal) -> int:
    exponent = _EVERY_DIGIT.normalize(exact).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _timestamp(column_type: ColumnType, value: Any) -> datetime:
    """A time without a zone is in UTC: the zone of the server's session has no say."""
    moment = value if isinstance(value, datetime) else _from_iso(datetime, value)
    lost = moment.microsecond % 10 ** (6 - column_type.fraction)
    if lost and not isinstance(value, datetime):
        raise _Misfit(f"a time with more than {column_type.fraction} digits of a second")
    # Our own times may lose them; the database would round, up to the next day.
    moment = moment.replace(microsecond=moment.microsecond - lost)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment if column_type.has_zone else moment.astimezone(UTC).replace(tzinfo=None)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    try:
        return _from_iso(date, value)
    except _Misfit:
        moment = _from_iso(datetime, value)
    if moment.time() != time():
        raise _Misfit("a date with a time")
    return moment.date()


def _from_iso[T: (date, datetime)](kind: type[T], value: Any) -> T:
    if not isinstance(value, str):
        raise _mistyped(value)
    try:
        return kind.fromisoformat(value)
    except ValueError:
        # "05/03/2024" would be read by the order that the server is set to.
        raise _Misfit(f"a value of type {type(value).__name__} that is not written as 2024-12-31") from None


def text_of(value: Any) -> str:
    """A value as the text of a column."""
    match value:
        case str():
            return value
        case datetime():
            return value.isoformat()
    return json.dumps(value, ensure_ascii=False)
