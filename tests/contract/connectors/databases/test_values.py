"""One contract, every database connector: what was written is what is read, or it was refused."""

from __future__ import annotations

import math
import uuid
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from docfleet.connectors.base import ColumnMode, DatabaseConnector, TableSettings
from docfleet.connectors.rows import clean
from docfleet.core.errors import DestinationRejected
from tests.contract.connectors.databases.servers import row

SINGLE = TableSettings(table="value_json")
SPLIT = TableSettings(table="value_columns", column_mode=ColumnMode.SPLIT)
WIDEST = 10**35
"""Below it, and with 30 digits after the point, every database keeps a number exactly."""

ODD = ["", " ", "a ", "\0", "\U0001f9fe e\u0301", "\ud800", "\\", "'", "%s", "\r\n", "NULL"]
TEXTS = st.text() | st.sampled_from(ODD)
NUMBERS = st.integers() | st.integers(-(2**63), 2**63 - 1) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MANY = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def is_kept(number: float) -> bool:
    """Whether every database has to take this number."""
    digits = len(repr(number).partition("e")[0].partition(".")[2]) - int(repr(number).partition("e")[2] or 0)
    return not math.isfinite(number) or (abs(number) < WIDEST and digits <= 30)


def is_same(read: Any, written: Any) -> bool:
    """A fraction may be read as the whole number that has its digits."""
    match written:
        case float():
            return type(read) in (int, float) and float(read) == written
        case dict():
            return read.keys() == written.keys() and all(is_same(read[key], written[key]) for key in written)
        case list():
            return len(read) == len(written) and all(map(is_same, read, written))
    return bool(read == written) and isinstance(read, bool) == isinstance(written, bool)


@MANY
@given(value=VALUES)
@example({"n": 2**63, "deep": [1e300, -0.0, 5e-324, 10**40], "\0": "\0"})
def test_a_value_of_json_is_read_as_it_was_written(rows: DatabaseConnector, value: Any) -> None:
    file = uuid.uuid4().hex
    receipt = rows.deliver(SINGLE, row({"v": value}, file=file, execution_id=file))
    (read,) = rows.read_rows(SINGLE, 2, file)
    assert is_same(read["data"]["v"], clean(value))
    assert [found.digest for found in rows.read_back(SINGLE, file)] == [receipt.digest]


@MANY
@given(number=NUMBERS, text=TEXTS, flag=st.none() | st.booleans())
@example(number=2**63 - 1, text="x" * 70_000, flag=None)
@example(number=-(2**63), text="\U0001f600", flag=True)
@example(number=0.1 + 0.2, text="", flag=False)
@example(number=1e-30, text="", flag=False)
@example(number=123456789.123456789, text="", flag=False)
def test_a_value_of_a_column_is_read_as_it_was_written(
    exact_rows: DatabaseConnector, number: float, text: str, flag: bool | None
) -> None:
    exact_rows.deliver(SPLIT, row({"number": 1.5, "text": "", "flag": True}, file="first"))
    file = uuid.uuid4().hex
    if isinstance(number, int) and number not in range(-(2**63), 2**63):
        number = 0  # such a number is a text, which a column of numbers refuses
    try:
        receipt = exact_rows.deliver(
            SPLIT, row({"number": number, "text": text, "flag": flag}, file=file, execution_id=file)
        )
    except DestinationRejected:
        assert not is_kept(number), "a number that fits was refused"
        return
    (read,) = exact_rows.read_rows(SPLIT, 2, file)
    assert is_same(read.get("number"), clean(number))
    assert (read["text"], read.get("flag")) == (clean(text), flag)
    assert [found.digest for found in exact_rows.read_back(SPLIT, file)] == [receipt.digest]
