"""The shape of a delivered row, the same in every database: its columns and their values.

Every text is made storable first: NUL characters and lone surrogates, which PostgreSQL refuses, become U+FFFD;
NaN and the infinities, which JSON does not have, become null.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from docfleet.connectors.base import (
    DOCUMENT_COLUMN,
    FILE_EXECUTION_COLUMN,
    RESERVED_COLUMNS,
    ColumnMode,
    DeliveryRow,
    OnChange,
    TableSettings,
)
from docfleet.connectors.column_names import columns_of
from docfleet.connectors.columns import ColumnKind
from docfleet.core.errors import DestinationRejected, Fenced

MAX_DATA_COLUMNS = 200
SPLIT_COLUMNS_KEY = "split_columns"
"""In split mode the ``metadata`` of a row lists its data columns, so that replacing the row clears those the new
result does not have and leaves the customer's own columns alone."""
CREATED_KEY = "execution_created_at"
"""The ``metadata`` of a row keeps the age of its execution, where rows are replaced across executions."""
ATTEMPT_KEY = "attempt"
"""The ``metadata`` of a row keeps the attempt that wrote it: a late older attempt is refused."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def fixed_columns(target: TableSettings) -> dict[str, ColumnKind]:
    """The columns of a table made by Docfleet, in order, without those of split results."""
    kinds = {
        "id": ColumnKind.TEXT,
        "created_by": ColumnKind.TEXT,
        "created_at": ColumnKind.TIMESTAMP,
        "metadata": ColumnKind.JSON,
        "status": ColumnKind.TEXT,
        "error_message": ColumnKind.TEXT,
        "user_field_1": ColumnKind.BOOLEAN,
        "user_field_2": ColumnKind.INTEGER,
        "user_field_3": ColumnKind.TEXT,
        target.file_path: ColumnKind.TEXT,
        target.execution_id: ColumnKind.TEXT,
        FILE_EXECUTION_COLUMN: ColumnKind.TEXT,
    }
    if target.on_change is OnChange.REPLACE:
        kinds[DOCUMENT_COLUMN] = ColumnKind.TEXT
    if target.evidence_column:
        kinds[target.evidence_column] = ColumnKind.JSON
    if target.column_mode is ColumnMode.SINGLE:
        kinds[target.single_column_name] = ColumnKind.JSON
    return kinds


def check_growth(target: TableSettings, present: Collection[str], missing: Collection[str]) -> None:
    """Raise ``DestinationRejected`` when results with ever new keys would add columns without bound."""
    fixed = fixed_columns(target)
    if all(name in fixed for name in missing):
        return
    if len(present) + len(missing) > MAX_DATA_COLUMNS + len(fixed):
        raise DestinationRejected(
            f"table {target.table} would get more than {MAX_DATA_COLUMNS} data columns: "
            f"the keys of the results differ from file to file; use {ColumnMode.SINGLE}"
        )


def shape_row(target: TableSettings, row: DeliveryRow) -> dict[str, Any]:
    """The values of a row by column, clean and JSON-like; ``id`` is added by the database that needs one.

    Raises ``DestinationRejected`` for a result that is not JSON or has too many keys.
    """
    try:
        metadata = clean(row.metadata)
        result = None if row.status == "ERROR" else clean(row.result)
    except RecursionError as error:
        raise DestinationRejected("the result is nested too deeply to be stored: flatten it") from error
    if result is not None and not isinstance(result, dict):
        result = {"result": result}
    if row.attempt:
        metadata[ATTEMPT_KEY] = row.attempt
    cells: dict[str, Any] = {}
    if target.include_agent:
        cells["created_by"] = target.agent_name
    if target.include_timestamp:
        cells["created_at"] = datetime.now(UTC)
    cells |= {
        "metadata": metadata,
        "status": row.status,
        "error_message": clean(row.error_message),
        target.file_path: clean(row.file_path),
        target.execution_id: clean(row.execution_id),
        FILE_EXECUTION_COLUMN: clean(row.file_execution_id),
    }
    if target.on_change is OnChange.REPLACE:
        cells[DOCUMENT_COLUMN] = row.document
        metadata[CREATED_KEY] = row.execution_created_at
    if target.evidence_column:
        cells[target.evidence_column] = clean(row.evidence)
    if target.column_mode is ColumnMode.SINGLE:
        cells[target.single_column_name] = result
        return cells
    data = split_columns(target, result or {})
    metadata[SPLIT_COLUMNS_KEY] = sorted(data)
    return cells | data


def split_columns(target: TableSettings, result: Mapping[str, Any]) -> dict[str, Any]:
    """One column per top-level key. Raises ``DestinationRejected`` for too many, or for two keys of one column."""
    if len(result) > MAX_DATA_COLUMNS:
        raise DestinationRejected(
            f"the result has {len(result)} top-level keys, more than {MAX_DATA_COLUMNS} columns: "
            f"use {ColumnMode.SINGLE}"
        )
    own = [*RESERVED_COLUMNS, target.file_path, target.execution_id, target.evidence_column]
    own += [DOCUMENT_COLUMN] if target.on_change is OnChange.REPLACE else []
    return columns_of(result, [name for name in own if name])


def clean(value: Any) -> Any:
    """A storable copy of a JSON value. Raises ``DestinationRejected`` for what is not JSON."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {clean(str(key)): clean(item) for key, item in value.items()}
        case list() | tuple():
            return [clean(item) for item in value]
    raise DestinationRejected(
        f"the result holds a value of type {type(value).__name__}, which JSON does not have: "
        "the tool must write JSON values"
    )


def content_digest(target: TableSettings, stored: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what a delivery put into a row, computed from the row as the database gives it back.

    ``stored`` holds the row's values by column. The key, ``id``, ``created_by``, ``created_at`` and columns that are
    not the delivery's do not count: a customer may use those.
    """
    values = {name.casefold(): readable(value) for name, value in stored.items()}
    metadata = json_object(values.get("metadata"))
    values["metadata"] = metadata
    data = metadata.get(SPLIT_COLUMNS_KEY) if target.column_mode is ColumnMode.SPLIT else [target.single_column_name]
    names = [target.file_path, "status", "error_message", "metadata", *(data if isinstance(data, list) else [])]
    names += [target.evidence_column] if target.evidence_column else []
    content = {str(name): _integral(values.get(str(name).casefold())) for name in names}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def attempt_of(metadata: Any) -> int:
    """The attempt that wrote a row, from its ``metadata``; 0 when it is missing."""
    attempt = json_object(metadata).get(ATTEMPT_KEY)
    return attempt if isinstance(attempt, int) else 0


class Standing(NamedTuple):
    """A row of a document among those of other executions."""

    status: str
    created_at: str
    """When its execution was created."""


def standing(status: Any, metadata: Any) -> Standing:
    """Where a stored row stands."""
    return Standing(str(status), str(json_object(metadata).get(CREATED_KEY, "")))


def gives_way(one: Standing, other: Standing) -> bool:
    """Whether the row ``one`` is replaced by ``other``, which is of the same document and of another execution.

    The row of the later execution stays. An error replaces errors only: what was read of a document before stays
    until it can be read again.
    """
    return one.created_at <= other.created_at and (other.status != "ERROR" or one.status == "ERROR")


def giving_way[K](mine: Standing, others: Mapping[K, Standing]) -> tuple[list[K], bool]:
    """Which of ``others``, the rows of the same document, give way to this one, and whether it gives way itself."""
    old = [key for key, other in others.items() if gives_way(other, mine)]
    return old, any(gives_way(mine, other) for key, other in others.items() if key not in old)


def fenced(attempt: int, file_execution_id: str, execution_id: str, place: str) -> Fenced:
    """A later attempt has delivered to ``place``, a table or a file."""
    return Fenced(
        f"a later attempt than {attempt} has delivered file execution {file_execution_id} of execution "
        f"{execution_id} to {place}; this one writes nothing"
    )


def earlier_columns(metadata: Any, names: Mapping[str, str]) -> list[str]:
    """The columns of the result that a row with this ``metadata`` holds; ``names`` are the table's, by casefold."""
    listed = json_object(metadata).get(SPLIT_COLUMNS_KEY)
    known = (names.get(str(name).casefold()) for name in (listed if isinstance(listed, list) else []))
    return [name for name in known if name is not None]


def dump_json(value: Any) -> str:
    """JSON text for JSON columns; the values were cleaned, so it has no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def json_object(value: Any) -> dict[str, Any]:
    """A JSON object, or the text of one; ``{}`` for anything else, which a customer may have written."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _integral(value: Any) -> Any:
    # Some databases return 4.0 as 4.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def readable(value: Any) -> Any:
    """A value from a database as a JSON-safe value: times in ISO 8601 (UTC), unknown types as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {str(key): readable(item) for key, item in value.items()}
        case list() | tuple():
            return [readable(item) for item in value]
        case bytes() | memoryview():
            return f"({len(value)} bytes)"
    return str(value)
