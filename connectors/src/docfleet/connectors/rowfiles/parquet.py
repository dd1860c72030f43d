"""Parquet files, written and read by arro3 (the Arrow and Parquet libraries of Rust)."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from arro3.core import Array, DataType, Field, RecordBatch, Schema
from arro3.io import read_parquet, write_parquet

from docfleet.connectors.columns import WHOLE_IN_DOUBLE, ColumnKind
from docfleet.connectors.rowfiles.formats import Kinds
from docfleet.connectors.rows import dump_json, readable

_MAGIC = b"PAR1"
_LEAST_BYTES = 12
_KIND = b"docfleet_kind"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Parquet:
    """One row group of one row, compressed with zstd.

    A number is DOUBLE, whole or not, so that the columns of files are of one type: DuckDB reads a folder by the types
    of its first file, and would round 2.5 where that one has a whole number. A whole number beyond 2^53, which DOUBLE
    does not hold, is INT64. Lists and objects are JSON text, times are in UTC.
    """

    suffix = ".parquet"

    def encode(self, row: Mapping[str, Any], kinds: Kinds) -> bytes:
        """See ``RowFormat``."""
        fields, arrays = [], []
        for name, value in row.items():
            kind = kinds[name]
            array = _array(kind, value)
            fields.append(Field(name, array.type, nullable=True, metadata={_KIND: kind.value.encode()}))
            arrays.append(array)
        batch = RecordBatch.from_arrays(arrays, schema=Schema(fields))
        content = io.BytesIO()
        write_parquet(batch, content, compression="zstd(3)", created_by="docfleet")
        return content.getvalue()

    def decode(self, content: bytes, kinds: Kinds) -> dict[str, Any]:
        """See ``RowFormat``."""
        if len(content) < _LEAST_BYTES or not content.startswith(_MAGIC) or not content.endswith(_MAGIC):
            raise ValueError("the file is not Parquet")
        try:
            table = read_parquet(io.BytesIO(content)).read_all()
        except BaseException as error:
            # The library panics at damage: that is no Exception, and its class is not exported.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise ValueError(f"the file is not Parquet: {error}") from error
        if table.num_rows != 1:
            raise ValueError(f"the file has {table.num_rows} rows instead of one")
        row = {}
        for name in table.column_names:
            value = table.column(name)[0].as_py()
            kind = (table.field(name).metadata or {}).get(_KIND, b"").decode()
            row[name] = json.loads(value) if kind == ColumnKind.JSON and value is not None else value
        return row


def _array(kind: ColumnKind, value: Any) -> Any:
    match kind:
        case ColumnKind.NUMBER if isinstance(value, int) and abs(value) > WHOLE_IN_DOUBLE:
            return Array([value], type=DataType.int64())
        case ColumnKind.NUMBER | ColumnKind.FLOAT:
            return Array([None if value is None else float(value)], type=DataType.float64())
        case ColumnKind.INTEGER:
            return Array([value], type=DataType.int64())
        case ColumnKind.BOOLEAN:
            return Array([value], type=DataType.bool())
        case ColumnKind.TIMESTAMP:
            moment = None if value is None else (value - _EPOCH) // _MICROSECOND
            return Array([moment], type=DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))
        case ColumnKind.JSON:
            value = None if value is None else dump_json(readable(value))
    return Array([value], type=DataType.utf8())
