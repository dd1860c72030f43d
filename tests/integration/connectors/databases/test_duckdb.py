"""The DuckDB connector: one process at a time, and what its types hold."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from docfleet.connectors.base import ColumnMode, DeliveryRow, TableSettings
from docfleet.connectors.databases import duckdb as module
from docfleet.connectors.databases.duckdb import DuckdbDatabase
from docfleet.connectors.rows import clean
from docfleet.core.errors import ConfigurationError, DestinationRejected, DestinationUnavailable, Fenced

SINGLE = TableSettings()
SPLIT = TableSettings(table="sales.rows", column_mode=ColumnMode.SPLIT)


def row(result: Any, file: str = "f1", **changes: Any) -> DeliveryRow:
    values = {"execution_id": "e1", "file_execution_id": file, "file_path": f"{file}.pdf", "result": result}
    return DeliveryRow(**values | changes)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "new" / "rows.duckdb")


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.dates().map(str)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(), VALUES, max_size=3))
@example("a\0b")
@example(float("nan"))
@example(2**53 + 1)
@example(-(2**63))
@example(0.1)
@example(1e300)
@example({"a": [1, "x", 2**62 + 1]})
def test_a_value_comes_back(path: str, value: Any) -> None:
    rows = DuckdbDatabase({"path": path})
    Path(path).unlink(missing_ok=True)
    for target in (SINGLE, SPLIT):
        digest = rows.deliver(target, row({"v": value})).digest
        (read,) = rows.read_rows(target, 9)
        assert (read["data"] if target is SINGLE else {"v": read.get("v")}) == {"v": clean(value)}
        assert [stored.digest for stored in rows.read_back(target, "e1")] == [digest]


def test_a_number_that_the_column_does_not_hold_is_refused(path: str) -> None:
    rows = DuckdbDatabase({"path": path})
    rows.deliver(SPLIT, row({"amount": 2.5}))
    with pytest.raises(DestinationRejected, match=r"'amount' is of type number .double. and does not take"):
        rows.deliver(SPLIT, row({"amount": 2**53 + 1}, file="f2"))
    assert [read["amount"] for read in rows.read_rows(SPLIT, 9)] == [2.5]


def test_the_key_is_unique_and_a_late_attempt_is_refused(path: str) -> None:
    rows = DuckdbDatabase({"path": path})
    rows.deliver(SPLIT, row({"n": 2}, attempt=2))
    with pytest.raises(Fenced, match="later attempt than 1"):
        rows.deliver(SPLIT, row({"n": 9}, attempt=1))
    with duckdb.connect(path) as theirs, pytest.raises(duckdb.ConstraintException):
        theirs.execute("INSERT INTO sales.rows (execution_id, file_execution_id) VALUES ('e1', 'f1')")
    assert [read["n"] for read in rows.read_rows(SPLIT, 9)] == [2]


def test_a_table_of_the_customer_is_completed(path: str) -> None:
    Path(path).parent.mkdir()
    with duckdb.connect(path) as theirs:
        theirs.execute("CREATE TABLE theirs (id INTEGER, Note VARCHAR, total DECIMAL(10, 2), day DATE, seen TIMESTAMP)")
        theirs.execute("INSERT INTO theirs VALUES (1, 'kept', 1, NULL, NULL)")
    rows = DuckdbDatabase({"path": path})
    target = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)
    result = {"NOTE": "new", "total": 2.5, "day": "2024-03-05", "seen": "2024-03-05T10:00:00+02:00"}
    for note in ("new", "newer"):
        rows.deliver(target, row(result | {"NOTE": note}))
    with pytest.raises(DestinationRejected, match="'total' is of type decimal"):
        rows.deliver(target, row({"total": 2.555}, file="f2"))
    with duckdb.connect(path) as theirs:
        found = theirs.execute("SELECT id, note, total::VARCHAR, day::VARCHAR, seen::VARCHAR FROM theirs ORDER BY ALL")
        assert found.fetchall() == [
            (1, "kept", "1.00", None, None),
            (None, "newer", "2.50", "2024-03-05", "2024-03-05 08:00:00"),
        ]


def test_a_probe_leaves_nothing(path: str) -> None:
    rows = DuckdbDatabase({"path": path})
    assert rows.probe(SPLIT) is False
    assert not Path(path).exists()
    rows.deliver(SPLIT, row({"n": 1}))
    assert rows.probe(SPLIT) is True
    with duckdb.connect(path) as theirs:
        assert theirs.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("rows",)]


def write_many(path: str, start: Any, number: int) -> None:
    rows = DuckdbDatabase({"path": path})
    start.wait()
    for key in range(6):
        rows.deliver(SPLIT, row({"shared": key, f"own_{number}": key}, file=f"f{key}"))


def test_many_processes_make_one_table_and_one_row_a_key(path: str) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    writers = [context.Process(target=write_many, args=(path, start, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 2
    read = DuckdbDatabase({"path": path}).read_rows(SPLIT, 99)
    assert [line["shared"] for line in read] == list(range(6))
    assert {f"own_{number}" for number in range(2)} <= set(read[0])


HOLD = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"


def test_a_file_that_is_open_elsewhere_is_unavailable(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = DuckdbDatabase({"path": path})
    rows.deliver(SINGLE, row({"n": 1}))
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)
        with pytest.raises(DestinationUnavailable, match="is open in another process"):
            rows.deliver(SINGLE, row({"n": 2}))
        holder.kill()
    assert rows.deliver(SINGLE, row({"n": 2})).outcome == "replaced"


def test_a_writer_killed_within_its_transaction_leaves_nothing(path: str) -> None:
    rows = DuckdbDatabase({"path": path})
    rows.deliver(SINGLE, row({"n": 1}))
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=die_within, args=(path,))
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    assert [read["data"] for read in rows.read_rows(SINGLE, 9)] == [{"n": 1}]
    assert rows.deliver(SINGLE, row({"n": 2})).outcome == "replaced"


def die_within(path: str) -> None:
    def die(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    module.content_digest = die
    module._DuckdbTable.gave_way = die  # type: ignore[method-assign]
    target = TableSettings(on_change=module.OnChange.REPLACE)
    DuckdbDatabase({"path": path}).deliver(target, row({"n": 9}, document="d"))


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, but long enough to be looked at" * 400)
    with pytest.raises(DestinationRejected, match="text cannot be opened"):
        DuckdbDatabase({"path": str(tmp_path / "text")}).check()
    below = DuckdbDatabase({"path": str(tmp_path / "text" / "rows.duckdb")})
    with pytest.raises(DestinationRejected, match="is not a folder"):
        below.check()
    with pytest.raises(DestinationUnavailable, match="folder cannot be made"):
        below.deliver(SINGLE, row({}))
    assert DuckdbDatabase({"path": str(tmp_path / "none")}).read_rows(SINGLE, 1) == []
    assert not (tmp_path / "none").exists()


def test_a_missing_library_is_named_with_its_extra(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"docfleet-connectors\[duckdb\]"):
        DuckdbDatabase({"path": path}).deliver(SINGLE, row({}))
