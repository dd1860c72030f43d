"""The connectors of MySQL and MariaDB, on a MariaDB server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.connectors.base import ColumnMode, TableSettings
from docfleet.connectors.databases.mysql import MariadbDatabase, MysqlDatabase
from docfleet.connectors.registry import open_database
from docfleet.core.errors import ConfigurationError, DestinationRejected, DestinationUnavailable
from tests.contract.connectors.databases.servers import Settings, execute, row, sql_settings
from tests.servers import Mariadb, require

SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)
CANARY = "tops3cret-canary"


@pytest.fixture
def mariadb(mariadb_url: str, tmp_path: Path) -> Iterator[Settings]:
    with sql_settings("mariadb", tmp_path) as found:
        yield found


@pytest.fixture
def database(mariadb: Settings) -> Iterator[MariadbDatabase]:
    made = MariadbDatabase(mariadb[1])
    yield made
    made.close()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mariadb]:
    """A server of the test's own, which it may kill."""
    lifeline = Lifeline()
    made: Mariadb = require(lambda: Mariadb(tmp_path_factory.mktemp("mariadb") / "server", lifeline))
    made.start()
    yield made
    made.kill()
    lifeline.close()


def settings_of(server: Mariadb, **more: Any) -> dict[str, Any]:
    url = sa.make_url(server.url)
    fields = {"host": "localhost", "port": url.port, "user": url.username, "password": url.password}
    return fields | {"database": "results"} | more


def test_both_ids_of_the_original_are_one_connector(mariadb: Settings) -> None:
    for name in ("mysql", "mariadb", MysqlDatabase.info.connector_id, MariadbDatabase.info.connector_id):
        connector = open_database(name, mariadb[1])
        connector.check()
        connector.deliver(SINGLE, row({"by": name}, file=name))
        connector.close()
    assert len(execute(mariadb, "SELECT 1 FROM docfleet_results")) == 4


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"password": CANARY}, DestinationRejected, "Access denied for user"),
        ({"database": "nowhere"}, DestinationRejected, "Unknown database 'nowhere'"),
        ({"user": "nobody", "password": CANARY}, DestinationRejected, "Access denied"),
        ({"port": 9, "password": CANARY}, DestinationUnavailable, "127.0.0.1"),
        ({"host": "no.such.host.invalid", "password": CANARY}, DestinationUnavailable, "no.such.host.invalid"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_is_shown(
    mariadb: Settings, wrong: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        MariadbDatabase(mariadb[1] | wrong).check()
    shown = f"{caught.value} {caught.value.__cause__!r}"
    assert CANARY not in shown and mariadb[1]["password"] not in shown


def test_a_user_who_may_not_make_the_table_is_told_so(mariadb: Settings) -> None:
    user = f"u{uuid.uuid4().hex[:12]}"
    execute(mariadb, f"CREATE USER {user} IDENTIFIED BY 'x'", f"GRANT SELECT ON {mariadb[1]['database']}.* TO {user}")
    database = MariadbDatabase(mariadb[1] | {"user": user, "password": "x"})
    database.check()
    with pytest.raises(DestinationRejected, match="CREATE command denied to user"):
        database.deliver(SINGLE, row({"n": 1}))
    database.close()


def test_columns_have_types_that_lose_nothing(mariadb: Settings, database: MariadbDatabase) -> None:
    database.deliver(SPLIT, row({"t": "x", "n": 1, "b": True, "j": [1]}))
    query = (
        "SELECT column_name, column_type FROM information_schema.columns "
        "WHERE table_schema = database() AND table_name = 'split_rows'"
    )
    assert {
        **{"t": "longtext", "n": "decimal(65,30)", "b": "tinyint(1)", "j": "longtext"},
        **{"created_at": "datetime(6)", "file_execution_id": "varchar(255)", "id": "varchar(255)"},
    }.items() <= dict(execute(mariadb, query)).items()
    collations = (
        "SELECT DISTINCT collation_name FROM information_schema.columns "
        "WHERE table_schema = database() AND collation_name IS NOT NULL"
    )
    assert execute(mariadb, collations) == [("utf8mb4_bin",)]


def test_every_reserved_word_may_be_a_field_and_a_table(mariadb: Settings, database: MariadbDatabase) -> None:
    words = [found[0].lower() for found in execute(mariadb, "SELECT word FROM information_schema.keywords")]
    words = [word for word in words if word.isidentifier()]
    assert len(words) > 300
    for start in range(0, len(words), 150):
        target = TableSettings(table=f"words_{start}", column_mode=ColumnMode.SPLIT)
        database.deliver(target, row(dict.fromkeys(words[start : start + 150], 1)))
        assert sum(value == 1 for value in database.read_rows(target, 1)[0].values()) == len(words[start : start + 150])
    for word in ("select", "Rank", "lateral"):
        database.deliver(TableSettings(table=word), row({"n": 1}))


def test_keys_that_differ_by_case_and_accent_are_rows_of_their_own(database: MariadbDatabase) -> None:
    for file in ("a", "A", "ä", "\U0001f600", "\U0001f601"):
        assert database.deliver(SINGLE, row({"n": 1}, file=file)).outcome == "written"


def test_names_of_63_bytes_and_of_other_scripts(database: MariadbDatabase) -> None:
    target = TableSettings(table="t" * 63, column_mode=ColumnMode.SPLIT, single_column_name="c" * 63)
    database.deliver(target, row({"x" * 63: 1, "x" * 64: 2, "請求番号": 3, "Größe": 4}))
    assert sorted(value for value in database.read_rows(target, 1)[0].values() if isinstance(value, int)) == [
        1,
        2,
        3,
        4,
    ]


def test_a_row_that_is_too_wide_is_refused_with_the_remedy(database: MariadbDatabase) -> None:
    with pytest.raises(DestinationRejected, match=r"Row size too large.*WRITE_JSON_TO_A_SINGLE_COLUMN"):
        database.deliver(SPLIT, row({f"k{number}": "x" * 40 for number in range(200)}))
    database.deliver(SPLIT, row({f"k{number}": number for number in range(150)}))


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("small", 32767, 32767),
        ("approximate", 12.34, 12.34),
        ("fixed", 1.5, 1.5),
        ("wide", 0.1 + 0.2, 0.1 + 0.2),
        ("at", "2024-03-05T10:00:00+02:00", "2024-03-05T08:00:00+00:00"),
        ("stamp", "2024-03-05T10:00:00+02:00", "2024-03-05T08:00:00+00:00"),
        ("day", "2024-03-05", "2024-03-05"),
        ("mood", "happy", "happy"),
        ("code", "DE", "DE"),
        ("flag", True, True),
    ],
)
def test_a_narrow_type_of_the_customer_is_filled_as_it_is(
    mariadb: Settings, database: MariadbDatabase, column: str, value: object, stored: object
) -> None:
    execute(mariadb, NARROW)
    database.deliver(TableSettings(table="narrow", column_mode=ColumnMode.SPLIT), row({column: value}))
    target = TableSettings(table="narrow", column_mode=ColumnMode.SPLIT)
    assert database.read_rows(target, 1)[0][column] == stored


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("small", 32768),
        ("positive", -1),
        ("approximate", 1234567.5),
        ("fixed", 1.555),
        ("fixed", 1000),
        ("at", "2024-03-05T10:00:00.5"),
        ("stamp", "1950-01-01T00:00:00"),
        ("day", "05/03/2024"),
        ("mood", "angry"),
        ("code", "long"),
        ("latin", "\U0001f600"),
        ("short", "x" * 256),
        ("bits", "1"),
        ("flag", 5),
        ("kept", 10**30),
    ],
)
def test_what_a_narrow_type_would_change_is_refused_and_not_shown(
    mariadb: Settings, database: MariadbDatabase, column: str, value: object
) -> None:
    execute(mariadb, NARROW)
    target = TableSettings(table="narrow", column_mode=ColumnMode.SPLIT)
    with pytest.raises(DestinationRejected) as caught:
        database.deliver(target, row({column: value}))
    assert "\U0001f600" not in caught.value.message and "F0\\x9F" not in caught.value.message
    assert database.read_rows(target, 1) == []


NARROW = (
    "CREATE TABLE narrow (small SMALLINT, positive INT UNSIGNED, approximate FLOAT, fixed DOUBLE(5, 2), "
    "wide DECIMAL(40, 30), at DATETIME, stamp TIMESTAMP NULL, day DATE, mood ENUM('happy', 'sad'), code VARCHAR(3), "
    "latin VARCHAR(9) CHARACTER SET latin1, short TINYTEXT, bits BIT(8), flag BOOLEAN, kept DECIMAL(20, 2))"
)


def test_another_unique_key_of_the_table_refuses_and_its_value_is_not_shown(
    mariadb: Settings, database: MariadbDatabase
) -> None:
    database.deliver(SPLIT, row({"invoice": "first"}))
    execute(mariadb, "ALTER TABLE split_rows ADD UNIQUE one_invoice (invoice(50))")
    with pytest.raises(DestinationRejected, match=r"Duplicate entry .*one_invoice") as caught:
        database.deliver(SPLIT, row({"invoice": "first"}, file="f2"))
    assert "first" not in caught.value.message
    assert [read["file_execution_id"] for read in database.read_rows(SPLIT, 9)] == ["f1"]


def test_a_unique_index_of_the_beginnings_of_keys_is_no_delivery_key(
    mariadb: Settings, database: MariadbDatabase
) -> None:
    execute(
        mariadb,
        "CREATE TABLE theirs (execution_id VARCHAR(50), file_execution_id VARCHAR(50), n INT, "
        "UNIQUE k (execution_id(2), file_execution_id(2)))",
    )
    target = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)
    database.deliver(target, row({"n": 1}, file="file1"))
    with pytest.raises(DestinationRejected):
        database.deliver(target, row({"n": 2}, file="file2"))
    assert execute(mariadb, "SELECT file_execution_id, n FROM theirs") == [("file1", 1)]


def test_a_connection_that_the_server_closed_is_replaced(mariadb: Settings, database: MariadbDatabase) -> None:
    database.deliver(SINGLE, row({"n": 1}))
    session = database._run(lambda connection: connection.exec_driver_sql("SELECT connection_id()").scalar())
    execute(mariadb, f"KILL {session}")
    assert database.deliver(SINGLE, row({"n": 2}, file="f2")).outcome == "written"
    assert len(database.read_rows(SINGLE, 9)) == 2


def test_named_locks_are_given_back(mariadb: Settings, database: MariadbDatabase) -> None:
    with pytest.raises(DestinationRejected):
        database.deliver(TableSettings(table="nowhere.t"), row({}))
    database.deliver(SINGLE, row({"n": 1}))
    other = MariadbDatabase(mariadb[1])
    other.deliver(SINGLE, row({"n": 1}, file="f2"))
    other.close()
    assert database._run(lambda connection: connection.exec_driver_sql("SELECT RELEASE_ALL_LOCKS()").scalar()) == 0


@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "ORACLE"])
def test_the_mode_of_the_server_has_no_say(mariadb: Settings, mode: str) -> None:
    (before,) = execute(mariadb, "SELECT @@GLOBAL.sql_mode")[0]
    execute(mariadb, f"SET GLOBAL sql_mode = '{mode}'")
    try:
        database = MariadbDatabase(mariadb[1])
        database.deliver(SPLIT, row({"v": "\\' OR 1=1 --", "n": 1}))
        assert database.read_rows(SPLIT, 1)[0]["v"] == "\\' OR 1=1 --"
        execute(mariadb, "CREATE TABLE short (v VARCHAR(3), n TINYINT)")
        with pytest.raises(DestinationRejected):
            database.deliver(TableSettings(table="short", column_mode=ColumnMode.SPLIT), row({"n": 300}))
        database.close()
    finally:
        execute(mariadb, f"SET GLOBAL sql_mode = '{before}'")


def test_a_server_that_ends_in_between_and_comes_back_and_its_certificate(server: Mariadb) -> None:
    admin = MariadbDatabase(settings_of(server, database="mysql"))
    admin._run(lambda connection: connection.exec_driver_sql("CREATE DATABASE results"))
    admin.close()
    database = MariadbDatabase(settings_of(server, sslEnabled=True, sslCa=str(server.certificate)))
    database.deliver(SINGLE, row({"n": 1}))
    cipher = database._run(lambda connection: connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").first())
    assert cipher is not None and cipher[1]
    # Another authority, and a name that is not in the certificate.
    for wrong in ({"sslCa": "/etc/ssl/certs/ca-certificates.crt"}, {"host": "127.0.0.1"}):
        fields = {"sslEnabled": True, "sslCa": str(server.certificate), **wrong}
        with pytest.raises((DestinationRejected, DestinationUnavailable), match="certificate"):
            MariadbDatabase(settings_of(server, **fields)).check()
    server.kill()
    with pytest.raises(DestinationUnavailable):
        database.deliver(SINGLE, row({"n": 2}, file="f2"))
    server.start()
    assert database.deliver(SINGLE, row({"n": 2}, file="f2")).outcome == "written"
    assert database.deliver(SINGLE, row({"n": 2}, file="f2")).outcome == "replaced"
    assert len(database.read_rows(SINGLE, 9)) == 2
    database.close()


def test_a_file_of_certificates_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'sslCa'"):
        MysqlDatabase({"host": "h", "database": "d", "sslCa": str(tmp_path / "none.pem")})


def test_numbers_of_json_that_mysql_would_round_are_refused(
    mariadb: Settings, database: MariadbDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL itself is not here: a trigger rounds as it does."""
    database.deliver(SINGLE, row({"n": 1}))
    execute(
        mariadb,
        "CREATE TRIGGER rounds BEFORE INSERT ON docfleet_results FOR EACH ROW SET NEW.data = '{\"n\": 1e30}'",
    )
    with pytest.raises(DestinationRejected, match="cannot keep a number"):
        database.deliver(SINGLE, row({"n": 10**30 + 1}, file="f2"))
    assert len(database.read_rows(SINGLE, 9)) == 1
