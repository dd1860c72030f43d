"""One contract, every database connector: tables of the customer, and types of their columns."""

from __future__ import annotations

import uuid

import pytest

from docfleet.connectors.base import ColumnMode, DatabaseConnector, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.core.errors import DestinationRejected
from tests.contract.connectors.databases.servers import Settings, execute, row

SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)


def test_an_existing_table_of_the_customer_is_completed(settings: Settings, database: SqlDatabase) -> None:
    serial = "INTEGER PRIMARY KEY" if settings[0] == "sqlite" else "SERIAL PRIMARY KEY"
    execute(
        settings,
        f"CREATE TABLE theirs (id {serial}, Note VARCHAR(20), total NUMERIC(9, 2), file_path VARCHAR(200))",
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
    elif settings[0] == "mariadb":
        execute(settings, "ALTER TABLE docfleet_results ADD COLUMN seen TIME DEFAULT '12:30'")
        assert database.read_rows(SINGLE, 9)[0]["seen"] == "12:30:00"
    else:
        execute(settings, "ALTER TABLE docfleet_results ADD COLUMN seen INTERVAL DEFAULT '1 day'")
        assert database.read_rows(SINGLE, 9)[0]["seen"]


def test_a_column_of_numbers_takes_fractions_and_keeps_whole_numbers(exact_rows: DatabaseConnector) -> None:
    values = [7, 2.5, 2**62 + 1, 0.1, 12345678.123456789, -(2**63)]
    for number, value in enumerate(values):
        exact_rows.deliver(SPLIT, row({"amount": value}, file=f"f{number}"))
    assert [read["amount"] for read in exact_rows.read_rows(SPLIT, 9)] == values


def test_a_table_dropped_meanwhile_is_made_again(settings: Settings, database: SqlDatabase) -> None:
    database.deliver(SINGLE, row({"n": 1}))
    execute(settings, "DROP TABLE docfleet_results")
    assert database.deliver(SINGLE, row({"n": 2})).outcome == "written"
    assert database.read_rows(SINGLE, 9)[0]["data"] == {"n": 2}


NARROW = (
    "CREATE DOMAIN price AS NUMERIC(6, 2)",
    "CREATE DOMAIN net_price AS price CHECK (VALUE >= 0)",
    "CREATE TYPE mood AS ENUM ('happy', 'sad')",
    "CREATE TABLE narrow (tags TEXT[], counts INT[], codes VARCHAR(3)[], moods mood[], prices price[], parts JSONB[], "
    "code VARCHAR(3), letters CHAR(3), small SMALLINT, amount NUMERIC(6, 2), day DATE, days DATE[], at TIMESTAMP, "
    "mood mood, price price, net net_price, approximate REAL, cash MONEY, host INET, body BYTEA)",
)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("tags", ["a b", 'c"d', None, "{"], ["a b", 'c"d', None, "{"]),
        ("tags", [], []),
        ("counts", [1, None, 3], [1, None, 3]),
        ("counts", [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ("codes", ["DE", "FRA"], ["DE", "FRA"]),
        ("moods", ["sad"], ["sad"]),
        ("prices", [1.5, 2], "{1.50,2.00}"),
        ("parts", [{"a": 1}, [2]], [{"a": 1}, [2]]),
        ("code", 12, "12"),
        ("letters", "DE", "DE "),
        ("small", 32767, 32767),
        ("amount", 9999.99, 9999.99),
        ("day", "2024-03-05", "2024-03-05"),
        ("days", ["2024-03-05"], ["2024-03-05"]),
        ("at", "2024-03-05T10:00:00+02:00", "2024-03-05T08:00:00+00:00"),
        ("mood", "happy", "happy"),
        ("price", 12.34, 12.34),
        ("net", 12.34, 12.34),
        ("approximate", 12.34, 12.34),
        ("cash", 12.34, "$12.34"),
        ("host", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_narrow_type_of_the_customer_is_filled_as_it_is(
    settings: Settings, database: SqlDatabase, column: str, value: object, stored: object
) -> None:
    execute(settings, *NARROW)
    target = TableSettings(table="narrow", column_mode=ColumnMode.SPLIT)
    database.deliver(target, row({column: value}))
    found = database.read_rows(target, 1)[0][column]
    found = [str(item) if column == "days" else item for item in found] if isinstance(found, list) else found
    assert found == stored


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tags", "a"),
        ("tags", {"a": 1}),
        ("counts", ["1"]),
        ("counts", [[1], [2, 3]]),
        ("codes", ["long"]),
        ("moods", ["angry"]),
        ("prices", [1.555]),
        ("code", "long"),
        ("letters", "long"),
        ("small", 32768),
        ("amount", 1.555),
        ("amount", 10_000),
        ("day", "05/03/2024"),
        ("mood", "angry"),
        ("price", 1.555),
        ("net", 1.555),
        ("net", -1),
        ("approximate", 1234567.891),
        ("cash", 1.555),
        ("cash", "1.50"),
        ("host", "nowhere"),
        ("body", "text"),
    ],
)
def test_what_a_narrow_type_would_change_is_refused(
    settings: Settings, database: SqlDatabase, column: str, value: object
) -> None:
    execute(settings, *NARROW)
    target = TableSettings(table="narrow", column_mode=ColumnMode.SPLIT)
    with pytest.raises(DestinationRejected):
        database.deliver(target, row({column: value}))
    assert database.read_rows(target, 1) == []
