"""What is written into a file comes back, and a spreadsheet computes nothing of it."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from docfleet.connectors.columns import ColumnKind, column_kind
from docfleet.connectors.rowfiles.formats import Csv, JsonLines, RowFormat
from docfleet.connectors.rowfiles.parquet import Parquet
from docfleet.connectors.rows import clean

FORMATS: list[RowFormat] = [JsonLines(), Csv(escape_formulas=True), Csv(escape_formulas=False), Parquet()]
INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.none() | st.booleans() | INT64 | st.floats() | st.text() | st.dates().map(str) | st.decimals().map(str)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.suffix)
@given(value=NESTED)
@example("a\0b")
@example(math.nan)
@example(2**53 + 1)
@example(-(2**63))
@example(0.1)
@example(5e-324)
@example('a "quoted"\r\nline, and \ud800')
def test_a_value_comes_back(each: RowFormat, value: Any) -> None:
    stored = clean(value)
    kind = column_kind(stored) or ColumnKind.TEXT
    back = each.decode(each.encode({"id": "1", "v": stored}, {"id": ColumnKind.TEXT, "v": kind}), {"v": kind})
    if kind is ColumnKind.NUMBER:
        assert back["v"] == stored  # 4 and 4.0 are one number
    else:
        assert same(back["v"], stored)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.suffix)
def test_a_time_is_in_utc(each: RowFormat) -> None:
    moment = datetime(2024, 3, 5, 10, 0, 0, 123456, tzinfo=UTC)
    (back,) = each.decode(each.encode({"at": moment}, {"at": ColumnKind.TIMESTAMP}), {}).values()
    assert back in (moment, moment.isoformat())


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.suffix)
@pytest.mark.parametrize("content", [b"", b"nonsense", b'"a","b"\r\n1\r\n', b"[1]", b"PAR1PAR1", b"\xff\xfe"])
def test_what_is_no_row_is_refused(each: RowFormat, content: bytes) -> None:
    with pytest.raises(ValueError):
        each.decode(content, {})


@pytest.mark.parametrize(
    "text", ["=1+1", '=cmd|" /C calc"!A0', "@SUM(A1)", "+A1", "-A1", "\t=1", "\r=1", "'=1", "''@x", "-1+cmd|x", "+"]
)
def test_a_formula_is_a_text_to_a_spreadsheet_and_comes_back(text: str) -> None:
    each = Csv(escape_formulas=True)
    content = each.encode({"v": text}, {"v": ColumnKind.TEXT})
    shown = list(csv.reader(io.StringIO(content.decode(), newline="")))[1][0]
    assert shown == (text if text == "+" else f"'{text}")
    assert each.decode(content, {}) == {"v": text}


@pytest.mark.parametrize("text", ["-5.20", "+49 30 1234-56", "-", "a=b", "'", "'s-Hertogenbosch", "- 1.234,50"])
def test_a_signed_number_is_no_formula(text: str) -> None:
    assert f'"{text}"' in Csv(escape_formulas=True).encode({"v": text}, {"v": ColumnKind.TEXT}).decode()


def test_csv_is_what_the_rfc_says() -> None:
    row = {"n": None, "e": "", "t": 'a "b",\nc', "i": 3, "f": 0.5, "y": True, "j": {"ü": [1]}}
    kinds = {name: column_kind(value) or ColumnKind.TEXT for name, value in row.items()}
    content = Csv(escape_formulas=True).encode(row, kinds).decode()
    assert content == '"n","e","t","i","f","y","j"\r\n,"","a ""b"",\nc",3,0.5,True,"{""ü"": [1]}"\r\n'


@pytest.mark.parametrize("value", [3, 2.5, -1, 2**53])
def test_numbers_are_of_one_type_in_all_parquet_files(value: float) -> None:
    # DuckDB reads a folder by the types of its first file, and would round 2.5 where that one has a whole number.
    import arro3.io

    content = Parquet().encode({"v": value}, {"v": ColumnKind.NUMBER})
    assert "Float64" in str(arro3.io.read_parquet(io.BytesIO(content)).schema.field("v").type)
