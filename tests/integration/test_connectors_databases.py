"""One contract, every database connector. PostgreSQL: DOCFLEET_TEST_POSTGRES_URL."""

import math
import multiprocessing
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from docfleet.connectors.base import ColumnMode, DatabaseConnector, DeliveryRow, TableSettings
from docfleet.connectors.databases.postgresql import PostgresqlDatabase
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.connectors.databases.sqlite import SqliteDatabase
from docfleet.connectors.memory import MemoryDatabase
from docfleet.connectors.registry import open_database
from docfleet.core.errors import DestinationRejected, DestinationUnavailable, Fenced, ForkUnsafe
from docfleet.core.settings import environment

Settings = tuple[str, dict[str, Any]]
SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)


@contextmanager
def sql_settings(name: str, folder: Path) -> Iterator[Settings]:
    """Settings of an empty database of this kind."""
    if name == "sqlite":
        yield name, {"path": str(folder / "new" / "rows.db")}
        return
    url = environment().get("DOCFLEET_TEST_POSTGRES_URL")
    if not url:
        reason = "no PostgreSQL: set DOCFLEET_TEST_POSTGRES_URL"
        if environment().get("REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    schema = f"docfleet_{uuid.uuid4().hex[:12]}"
    with admin(url) as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    yield name, {"connection_url": url, "schema": schema}
    with admin(url) as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


@contextmanager
def admin(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseConnector]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    with sql_settings(request.param, tmp_path) as settings:
        connector = open_database(*settings)
        yield connector
        connector.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    with sql_settings(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def database(settings: Settings) -> Iterator[SqlDatabase]:
    connector = open_database(*settings)
    assert isinstance(connector, SqlDatabase)
    yield connector
    connector.close()


def row(result: Any, file: str = "f1", **changes: Any) -> DeliveryRow:
    values = {"execution_id": "e1", "file_execution_id": file, "file_path": f"{file}.pdf", "result": result}
    return DeliveryRow(**values | changes)


def execute(settings: Settings, *statements: str) -> list[Any]:
    """Run statements as a customer would, in the test's schema."""
    if settings[0] == "sqlite":
        path = Path(settings[1]["path"])
        path.parent.mkdir(exist_ok=True)
        engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    else:
        engine = sa.create_engine(
            sa.make_url(settings[1]["connection_url"]).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
        )
    answer: list[Any] = []
    with engine.begin() as connection:
        if settings[0] == "postgresql":
            connection.execute(sa.text(f"SET search_path TO {settings[1]['schema']}"))
        for statement in statements:
            found = connection.execute(sa.text(statement))
            answer = [tuple(line) for line in found] if found.returns_rows else []
    return answer


# ---- the contract -------------------------------------------------------------------------------------------------


def test_a_row_has_every_column_and_comes_back_as_it_was(rows: DatabaseConnector) -> None:
    rows.check()
    assert rows.read_rows(SINGLE, 3) == []
    result = {"total": 12.5, "items": [{"name": "Größe", "n": None}], "ok": True, "nan": math.nan, "nul": "a\0b"}
    receipt = rows.deliver(SINGLE, row(result, metadata={"pages": 2}))
    assert receipt.outcome == "written"
    (read,) = rows.read_rows(SINGLE, 3, "e1")
    assert set(read) == {
        *("id", "created_by", "created_at", "metadata", "status", "error_message"),
        *("user_field_1", "user_field_2", "user_field_3", "file_path", "execution_id", "file_execution_id", "data"),
    }
    assert read["data"] == result | {"nan": None, "nul": "a\ufffdb"}
    assert read["metadata"] == {"pages": 2}
    assert (read["status"], read["error_message"], read["user_field_1"]) == ("SUCCESS", None, None)
    assert (read["execution_id"], read["file_execution_id"], read["file_path"]) == ("e1", "f1", "f1.pdf")
    assert read["created_by"] == "DOCFLEET_DBWRITER"
    assert read["created_at"].endswith("+00:00")
    assert uuid.UUID(read["id"])


def test_the_delivery_key_makes_one_row(rows: DatabaseConnector) -> None:
    assert rows.deliver(SINGLE, row({"n": 1})).outcome == "written"
    (first,) = rows.read_rows(SINGLE, 9)
    assert rows.deliver(SINGLE, row({"n": 2})).outcome == "replaced"
    assert rows.deliver(SINGLE, row({"n": 3}, execution_id="e2")).outcome == "written"
    assert rows.deliver(SINGLE, row("text", file="f2")).outcome == "written"
    (read, other) = rows.read_rows(SINGLE, 9, "e1")
    assert read["data"] == {"n": 2}
    assert read["id"] == first["id"]
    assert other["data"] == {"result": "text"}
    assert len(rows.read_rows(SINGLE, 9)) == 3
    assert len(rows.read_rows(SINGLE, 1)) == 1


def test_an_error_row(rows: DatabaseConnector) -> None:
    rows.deliver(SINGLE, row({"n": 1}))
    rows.deliver(SINGLE, row({"n": 1}, status="ERROR", error_message="password required"))
    (read,) = rows.read_rows(SINGLE, 9)
    assert (read["status"], read["error_message"], read["data"]) == ("ERROR", "password required", None)
    rows.deliver(SINGLE, row({"n": 1}))
    (read,) = rows.read_rows(SINGLE, 9)
    assert (read["status"], read["error_message"], read["data"]) == ("SUCCESS", None, {"n": 1})


def test_names_and_switches_are_settings(rows: DatabaseConnector) -> None:
    target = TableSettings(
        table="Order",
        single_column_name="Result",
        include_agent=False,
        include_timestamp=False,
        file_path="path",
        execution_id="run",
    )
    rows.deliver(target, row({"a": 1}))
    assert rows.deliver(target, row({"a": 2})).outcome == "replaced"
    (read,) = rows.read_rows(target, 9, "e1")
    assert (read["Result"], read["path"], read["run"]) == ({"a": 2}, "f1.pdf", "e1")
    assert read["created_by"] is None and read["created_at"] is None


def test_split_columns(rows: DatabaseConnector) -> None:
    rows.deliver(
        SPLIT, row({"Total": 12.5, "n": 3, "ok": False, "items": [1], "who": "x", "status": "s", "none": None})
    )
    rows.deliver(SPLIT, row({"Total": 7, "n": 4.0, "who": 5, "items": "text", "new key": 2**62}, file="f2"))
    one, two = rows.read_rows(SPLIT, 9)
    assert (one["Total"], one["n"], one["ok"], one["items"], one["who"]) == (12.5, 3, False, [1], "x")
    assert (one["status"], one["status_field"]) == ("SUCCESS", "s")
    assert "none" not in one and "data" not in one
    assert one["new_key"] is None
    assert (two["Total"], two["n"], two["ok"], two["items"], two["who"]) == (7.0, 4, None, "text", "5")
    assert two["new_key"] == 2**62


def test_a_replaced_split_row_keeps_nothing_of_the_old_result(rows: DatabaseConnector) -> None:
    rows.deliver(SPLIT, row({"a": 1, "b": 2}))
    rows.deliver(SPLIT, row({"c": 9}, file="f2"))
    assert rows.deliver(SPLIT, row({"b": 3, "c": 4})).outcome == "replaced"
    read = rows.read_rows(SPLIT, 9)[0]
    assert (read["a"], read["b"], read["c"]) == (None, 3, 4)
    rows.deliver(SPLIT, row(None, status="ERROR", error_message="it broke"))
    read = rows.read_rows(SPLIT, 9)[0]
    assert (read["a"], read["b"], read["c"], read["status"]) == (None, None, None, "ERROR")
    assert rows.read_rows(SPLIT, 9)[1]["c"] == 9


def test_a_value_the_column_does_not_take_is_refused_and_named(rows: DatabaseConnector) -> None:
    rows.deliver(SPLIT, row({"amount": 3}))
    with pytest.raises(DestinationRejected, match=r"'amount' is of type number .* type str"):
        rows.deliver(SPLIT, row({"amount": "three"}, file="f2"))
    rows.deliver(SPLIT, row({"amount": 4}, file="f2"))
    assert [read["amount"] for read in rows.read_rows(SPLIT, 9)] == [3, 4]


def test_a_first_row_that_is_refused_leaves_the_connector_usable(rows: DatabaseConnector) -> None:
    with pytest.raises(DestinationRejected):
        rows.deliver(SPLIT, row({"a": {1}}))
    rows.deliver(SPLIT, row({"a": 1}))
    assert rows.read_rows(SPLIT, 9)[0]["a"] == 1


def test_columns_do_not_grow_without_end(rows: DatabaseConnector) -> None:
    rows.deliver(SPLIT, row({f"k{n}": n for n in range(200)}))
    with pytest.raises(DestinationRejected, match="200"):
        rows.deliver(SPLIT, row({"another": 1}, file="f2"))


@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", '"', "\\'", "%s %(a)s :b {}", "Robert'); --", "€\n\t\x01"])
def test_values_are_never_sql(text: str, rows: DatabaseConnector) -> None:
    rows.deliver(SPLIT, row({"v": text, text or "k": 1}, file=text, execution_id=text, metadata={text: text}))
    (read,) = rows.read_rows(SPLIT, 9, text)
    assert (read["v"], read["file_execution_id"]) == (text, text)
    assert read["metadata"][text] == text


def test_use_in_a_child_process_is_refused(rows: DatabaseConnector) -> None:
    rows.deliver(SINGLE, row({"n": 1}))
    operations = (
        rows.check,
        lambda: rows.deliver(SINGLE, row({"n": 1})),
        lambda: rows.read_rows(SINGLE, 1),
        rows.close,
    )
    pid = os.fork()
    if pid == 0:
        refused = 0
        for operation in operations:
            try:
                operation()
            except ForkUnsafe as error:
                refused += f"made in process {os.getppid()} and is used in process {os.getpid()}" in error.message
            except BaseException:
                break
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == len(operations)
    rows.deliver(SINGLE, row({"n": 2}))
    assert rows.read_rows(SINGLE, 9)[0]["data"] == {"n": 2}


# ---- SQL only -----------------------------------------------------------------------------------------------------


def test_a_row_of_a_known_shape_is_one_statement(database: SqlDatabase) -> None:
    database.deliver(SPLIT, row({"a": 1, "b": "x"}))
    statements: list[str] = []
    sa.event.listen(database._engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    database.deliver(SPLIT, row({"a": 2, "b": "y"}, file="f2"))
    database.deliver(SPLIT, row({"a": 2}, file="f3"))
    database.deliver(SPLIT, row(None, file="f4", status="ERROR", error_message="x"))
    inserts = [statement for statement in statements if statement != "BEGIN IMMEDIATE"]
    assert len(inserts) == 3
    assert all(statement.startswith("INSERT") for statement in inserts)


def test_an_existing_table_of_the_customer_is_completed(settings: Settings, database: SqlDatabase) -> None:
    serial = "INTEGER PRIMARY KEY" if settings[0] == "sqlite" else "SERIAL PRIMARY KEY"
    execute(
        settings,
        f"CREATE TABLE theirs (id {serial}, Note VARCHAR(20), total NUMERIC, file_path VARCHAR(200))",
        "INSERT INTO theirs (note, total) VALUES ('kept', 1)",
    )
    target = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)
    assert database.deliver(target, row({"NOTE": "new", "total": 2.5})).outcome == "written"
    assert database.deliver(target, row({"NOTE": "newer", "total": 2})).outcome == "replaced"
    found = execute(settings, "SELECT id, note, total, file_path, status FROM theirs ORDER BY id")
    assert found == [(1, "kept", 1, None, None), (found[1][0], "newer", 2, "f1.pdf", "SUCCESS")]


def test_columns_of_other_types_take_what_the_database_takes(settings: Settings, database: SqlDatabase) -> None:
    execute(
        settings,
        "CREATE TABLE typed (execution_id UUID, day DATE, at TIMESTAMP, price NUMERIC(10, 2), code CHAR(2), j JSON, "
        "note TEXT NOT NULL DEFAULT 'default')",
    )
    target = TableSettings(table="typed", column_mode=ColumnMode.SPLIT)
    execution = str(uuid.uuid4())
    result = {"day": "2024-01-31", "at": "2024-01-31T10:00:00+00:00", "price": 12.5, "code": "DE", "j": 1, "x": None}
    database.deliver(target, row(result, execution_id=execution))
    database.deliver(target, row(result | {"price": 3, "j": None}, execution_id=execution))
    (read,) = database.read_rows(target, 9, execution)
    assert (read["day"], read["at"]) == ("2024-01-31", "2024-01-31T10:00:00+00:00")
    assert (read["price"], read["code"]) == (3, "DE")
    assert (read["j"], read["note"], read["execution_id"]) == (None, "default", execution)


def test_an_odd_value_of_the_customer_can_be_read(settings: Settings, database: SqlDatabase) -> None:
    database.deliver(SINGLE, row({"n": 1}))
    if settings[0] == "sqlite":
        execute(settings, "UPDATE docfleet_results SET data = 'not json', created_at = 'yesterday'")
        (read,) = database.read_rows(SINGLE, 9)
        assert (read["data"], read["created_at"]) == ("not json", "yesterday")
    else:
        execute(settings, "ALTER TABLE docfleet_results ADD COLUMN seen INTERVAL DEFAULT '1 day'")
        assert database.read_rows(SINGLE, 9)[0]["seen"]


THEIRS = "CREATE TABLE theirs (execution_id TEXT, file_execution_id TEXT, n BIGINT)"
THEIR_TABLE = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)


def test_a_table_without_the_key_is_written_once_through_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "INSERT INTO theirs VALUES ('e', 'f', 1), ('e', 'f', 2)")
    assert database.deliver(THEIR_TABLE, row({"n": 3})).outcome == "written"
    assert database.deliver(THEIR_TABLE, row({"n": 4})).outcome == "replaced"
    assert database.deliver(THEIR_TABLE, row({"n": 5}, file="f2")).outcome == "written"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (2,), (4,), (5,)]
    execute(settings, "DELETE FROM theirs WHERE n = 4")
    assert database.deliver(THEIR_TABLE, row({"n": 6})).outcome == "replaced"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (2,), (5,), (6,)]
    assert execute(settings, "SELECT count(*) FROM docfleet_deliveries") == [(2,)]


def test_the_ledger_forgets_what_nobody_repeats(settings: Settings, database: SqlDatabase) -> None:
    execute(
        settings,
        THEIRS,
        # As an earlier version made it.
        "CREATE TABLE docfleet_deliveries (table_name TEXT, execution_id TEXT, file_execution_id TEXT, "
        "attempt BIGINT NOT NULL, PRIMARY KEY (table_name, execution_id, file_execution_id))",
        "INSERT INTO docfleet_deliveries VALUES ('theirs', 'e', 'known', 1)",
    )
    database.deliver(THEIR_TABLE, row({"n": 1}))
    assert execute(settings, "SELECT count(*) FROM docfleet_deliveries") == [(2,)]
    execute(settings, "UPDATE docfleet_deliveries SET delivered_at = '2001-01-01' WHERE file_execution_id = 'known'")
    database._layouts.clear()  # as the next batch finds it
    database.deliver(THEIR_TABLE, row({"n": 2}, file="f2"))
    left = execute(settings, "SELECT file_execution_id FROM docfleet_deliveries ORDER BY 1")
    assert left == [("f1",), ("f2",)]


def test_a_row_that_is_refused_is_not_in_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "ALTER TABLE theirs ADD COLUMN m INTEGER CHECK (m < 9)")
    with pytest.raises(DestinationRejected):
        database.deliver(THEIR_TABLE, row({"m": 9}))
    assert database.deliver(THEIR_TABLE, row({"m": 8})).outcome == "written"


def test_two_tables_share_a_ledger_and_not_their_keys(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, THEIRS.replace("theirs", "others"))
    for table in ("theirs", "others"):
        target = TableSettings(table=table, column_mode=ColumnMode.SPLIT)
        assert database.deliver(target, row({"n": 1})).outcome == "written"
    assert execute(settings, "SELECT n FROM others") == [(1,)]


def test_a_unique_key_that_is_dropped_is_replaced_by_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "CREATE UNIQUE INDEX theirs_key ON theirs (execution_id, file_execution_id)")
    database.deliver(THEIR_TABLE, row({"n": 1}))
    execute(settings, "DROP INDEX theirs_key")
    assert database.deliver(THEIR_TABLE, row({"n": 2}, file="f2")).outcome == "written"
    assert database.deliver(THEIR_TABLE, row({"n": 3}, file="f2")).outcome == "replaced"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (3,)]


@pytest.mark.parametrize("keyed", [True, False])
def test_an_attempt_that_wakes_up_late_changes_nothing(keyed: bool, settings: Settings, database: SqlDatabase) -> None:
    target = SPLIT if keyed else THEIR_TABLE
    if not keyed:
        execute(settings, THEIRS)
    database.deliver(target, row({"n": 1}, attempt=2))
    if not keyed:
        execute(settings, "UPDATE theirs SET metadata = NULL")  # the ledger knows the attempt too
    zombie = open_database(*settings)
    for late in (row({"n": 9}, attempt=1), row(None, attempt=1, status="ERROR", error_message="late")):
        with pytest.raises(Fenced, match="later attempt than 1"):
            zombie.deliver(target, late)
    zombie.close()
    assert [(read["n"], read["status"]) for read in database.read_rows(target, 9)] == [(1, "SUCCESS")]
    assert database.deliver(target, row({"n": 2}, attempt=2)).outcome == "replaced"
    assert database.deliver(target, row({"n": 3}, attempt=3)).outcome == "replaced"
    assert [read["n"] for read in database.read_rows(target, 9)] == [3]


def test_a_writer_that_stands_still_and_wakes_up_late(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS)
    pid = os.fork()
    if pid == 0:
        connector = open_database(*settings)
        assert isinstance(connector, SqlDatabase)
        run = connector._run

        def stand_still(*call: Any, **options: Any) -> Any:
            if connector._layouts:
                os.kill(os.getpid(), signal.SIGSTOP)
            return run(*call, **options)

        connector._run = stand_still  # type: ignore[method-assign]
        try:
            connector.deliver(THEIR_TABLE, row({"n": 1}, attempt=1))
        except Fenced:
            os._exit(7)
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    assert execute(settings, "SELECT n FROM theirs") == []
    database.deliver(THEIR_TABLE, row({"n": 2}, attempt=2))
    os.kill(pid, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert execute(settings, "SELECT n FROM theirs") == [(2,)]


def _deliver_one(settings: Settings, start: Any, attempt: int) -> None:
    connector = open_database(*settings)
    start.wait()
    for key in range(6):
        try:
            connector.deliver(THEIR_TABLE, row({"n": attempt}, file=f"f{key}", attempt=attempt))
        except Fenced:
            pass
    connector.close()


def test_many_workers_write_one_row_a_key_where_the_table_has_none(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS)
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=_deliver_one, args=(settings, start, attempt)) for attempt in (1, 2, 3, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert execute(settings, "SELECT n, count(*) FROM theirs GROUP BY n") == [(4, 6)]


def test_what_was_delivered_is_read_back(rows: DatabaseConnector) -> None:
    results = {
        "f1": {"Total": 12.5, "n": 3, "deep": {"b": [1, None, 1e22, 0.1], "a": "é"}, "none": None},
        "f2": {"Total": 4.0, "n": 2**53 + 1, "deep": "text", "who": "x\0"},
        "f3": {"Total": 1e300, "n": -0.5, "flag": True, "who": 5},
    }
    for target in (SINGLE, SPLIT):
        digests = {
            file: rows.deliver(target, row(result, file=file, attempt=1, metadata={"t": 1.5})).digest
            for file, result in results.items()
        }
        rows.deliver(target, row(None, file="f4", status="ERROR", error_message="it broke"))
        rows.deliver(target, row({}, execution_id="e2"))
        stored = {found.file_execution_id: found for found in rows.read_back(target, "e1")}
        assert {file: stored[file].digest for file in digests} == digests
        assert [stored[file].status for file in sorted(stored)] == ["SUCCESS"] * 3 + ["ERROR"]
        assert len(set(digests.values())) == 3
    assert list(rows.read_back(TableSettings(table="none"), "e1")) == []


def test_a_changed_row_has_another_digest(settings: Settings, database: SqlDatabase) -> None:
    digest = database.deliver(SPLIT, row({"n": 3, "who": "x"})).digest
    execute(settings, "UPDATE split_rows SET user_field_3 = 'theirs', created_by = 'them'")
    assert [found.digest for found in database.read_back(SPLIT, "e1")] == [digest]
    for damage in ("n = 4", "who = NULL", "status = 'ERROR'", "file_path = 'other'", "metadata = NULL"):
        execute(settings, f"UPDATE split_rows SET {damage}")
        assert digest not in [found.digest for found in database.read_back(SPLIT, "e1")], damage
        database.deliver(SPLIT, row({"n": 3, "who": "x"}))
    assert [found.digest for found in database.read_back(SPLIT, "e1")] == [digest]


def test_a_column_of_numbers_takes_fractions_and_keeps_whole_numbers(rows: DatabaseConnector) -> None:
    values = [7, 2.5, 2**62 + 1, 0.1, 12345678.123456789, -(2**63)]
    for number, value in enumerate(values):
        rows.deliver(SPLIT, row({"amount": value}, file=f"f{number}"))
    assert [read["amount"] for read in rows.read_rows(SPLIT, 9)] == values


def test_a_table_dropped_meanwhile_is_made_again(settings: Settings, database: SqlDatabase) -> None:
    database.deliver(SINGLE, row({"n": 1}))
    execute(settings, "DROP TABLE docfleet_results")
    assert database.deliver(SINGLE, row({"n": 2})).outcome == "written"
    assert database.read_rows(SINGLE, 9)[0]["data"] == {"n": 2}


def test_a_writer_killed_after_its_commit_and_before_it_could_say_so(settings: Settings, database: SqlDatabase) -> None:
    pid = os.fork()
    if pid == 0:
        open_database(*settings).deliver(SINGLE, row({"n": 1}))
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert [read["data"] for read in database.read_rows(SINGLE, 9)] == [{"n": 1}]
    assert database.deliver(SINGLE, row({"n": 1})).outcome == "replaced"
    assert [read["data"] for read in database.read_rows(SINGLE, 9)] == [{"n": 1}]


def _write_many(settings: Settings, start: Any, number: int) -> None:
    connector = open_database(*settings)
    start.wait()
    for key in range(8):
        # Every process writes the same keys, and columns of its own among shared ones.
        connector.deliver(SPLIT, row({"shared": key, f"c{key}": 1, f"own_{number}": key}, file=f"f{key}"))
    connector.close()


def test_many_processes_make_one_table_and_one_row_a_key(settings: Settings, database: SqlDatabase) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=_write_many, args=(settings, start, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    read = database.read_rows(SPLIT, 99)
    assert [line["shared"] for line in read] == list(range(8))
    assert {f"own_{number}" for number in range(4)} | {f"c{key}" for key in range(8)} <= set(read[0])


def test_sqlite_says_which_file_is_the_trouble(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DestinationUnavailable, match="folder"):
        SqliteDatabase({"path": str(tmp_path / "folder")}).check()
    (tmp_path / "text").write_text("this is not a database, but long enough to be looked at" * 40)
    broken = SqliteDatabase({"path": str(tmp_path / "text")})
    with pytest.raises(DestinationRejected, match="not a database"):
        broken.deliver(SINGLE, row({}))
    with pytest.raises(DestinationUnavailable, match="folder cannot be made"):
        SqliteDatabase({"path": str(tmp_path / "text" / "rows.db")}).check()


def test_sqlite_writes_ahead_and_syncs(tmp_path: Path) -> None:
    database = SqliteDatabase({"path": str(tmp_path / "rows.db")})
    modes = database._run(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS])
    database.close()
    assert modes == ["wal", 2, 30_000]


PRAGMAS = ("journal_mode", "synchronous", "busy_timeout")


def test_an_unreachable_server_is_unavailable_and_the_password_is_not_shown() -> None:
    database = PostgresqlDatabase({"host": "127.0.0.1", "port": 9, "password": "tops3cret"})
    with pytest.raises(DestinationUnavailable, match=r"127\.0\.0\.1:9/postgres") as caught:
        database.check()
    assert "tops3cret" not in str(caught.value)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Settings]:
    with sql_settings("postgresql", tmp_path) as found:
        yield found


def test_a_wrong_password_is_refused_and_not_shown(postgres: Settings) -> None:
    url = sa.make_url(postgres[1]["connection_url"])
    if not url.password:
        pytest.skip("this server asks for no password")
    wrong = url.set(password="tops3cret").render_as_string(hide_password=False)
    with pytest.raises(DestinationRejected, match="authentication failed") as caught:
        PostgresqlDatabase({"connection_url": wrong}).check()
    assert "tops3cret" not in str(caught.value)


def test_a_connection_reaped_between_two_rows_is_replaced(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    database.deliver(SINGLE, row({"n": 1}))
    pid = database._run(lambda connection: connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
    execute(postgres, f"SELECT pg_terminate_backend({pid}, 5000)")
    assert database.deliver(SINGLE, row({"n": 2}, file="f2")).outcome == "written"
    assert len(database.read_rows(SINGLE, 9)) == 2
    database.close()


def test_postgresql_column_types(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    database.deliver(SPLIT, row({"t": "x", "n": 1, "f": 1.5, "b": True, "j": [1]}))
    database.close()
    types = execute(
        postgres,
        "SELECT column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = '{postgres[1]['schema']}' AND table_name = 'split_rows'",
    )
    assert {
        "t": "text",
        "n": "numeric",
        "f": "numeric",
        "b": "boolean",
        "j": "jsonb",
        "metadata": "jsonb",
        "created_at": "timestamp with time zone",
    }.items() <= dict(types).items()


def test_a_missing_schema_and_a_value_too_long_are_refused(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    with pytest.raises(DestinationRejected, match="nowhere"):
        database.deliver(TableSettings(table="nowhere.t"), row({}))
    execute(postgres, "CREATE TABLE short (v VARCHAR(3))")
    target = TableSettings(table="short", column_mode=ColumnMode.SPLIT)
    with pytest.raises(DestinationRejected, match="too long") as caught:
        database.deliver(target, row({"v": "confidential"}))
    assert "confidential" not in caught.value.message
    database.close()
