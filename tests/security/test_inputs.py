# ruff: noqa: RUF001 - letters that look like others are the point
"""Names, identifiers and texts an attacker chooses: nothing leaves its folder or its quotes, and nothing takes long."""

from __future__ import annotations

import os
import re
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docfleet.backend.calls import presigned
from docfleet.backend.calls.presigned import Rules
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.connectors import delivery, paths, rows
from docfleet.connectors.base import IDENTIFIER, ColumnMode, DeliveryRow, TableSettings
from docfleet.connectors.column_names import MAX_NAME_BYTES, column_name
from docfleet.connectors.databases.postgresql import PostgresqlDatabase
from docfleet.connectors.databases.sqlite import SqliteDatabase
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core import masking, storage
from docfleet.core.errors import ConfigurationError, DocfleetError, InvalidInput, UnsafePath
from docfleet.core.ids import parse_id
from docfleet.tools.builtin.field_extractor import amounts, dates, invoices, labels, presets
from docfleet.tools.builtin.field_extractor.currencies import find_currency
from docfleet.tools.builtin.field_extractor.locale import Locale
from docfleet.tools.sdk import media

_PIECES = (
    *("..", ".", "/", "\\", "\0", "\n", "\r\n", "%2e%2e", "%2f", "..%2f", "\u2024\u2024", "\u2215", "\uff0f", "\u29f8"),
    *(
        "~",
        "$HOME",
        "C:",
        "con",
        "\\x2e\\x2e",
        "\\x5c",
        "\\x2f",
        "\u202e",
        "\ufeff",
        "\udcff",
        " ",
        "a",
        "é",
        "x" * 300,
    ),
    *("etc", "passwd", "*", "?", ";", "|", "-rf", "`id`", "'", '"', "<", "\u0000", "\u200b", ".git", "....//"),
)
NAMES = st.lists(st.sampled_from(_PIECES) | st.text(max_size=8), min_size=1, max_size=6).map("".join)
MANY = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(NAMES, NAMES)
def test_a_joined_path_stays_below_its_root(folder: str, name: str) -> None:
    root = Path("/root/of/connector")
    with suppress(UnsafePath):
        joined = root.joinpath(*paths.path_parts(paths.safe_join(folder, name)))
        assert os.path.normpath(joined) == str(joined) and (joined == root or root in joined.parents)


@MANY
@given(NAMES)
def test_a_folder_of_the_storage_stays_below_its_root(name: str) -> None:
    root = Path("/root/of/storage")
    for make in (
        lambda: storage.resolve_folder(root, name),
        lambda: storage.resolve_folder(root, storage.execution_folder("org", "workflow", name)),
        lambda: storage.resolve_folder(root, storage.upload_folder(name, "workflow", "execution")),
        lambda: storage.steps_folder(root, name, "workflow"),
    ):
        with suppress(UnsafePath):
            found = make()
            assert os.path.normpath(found) == str(found) and root in found.parents


@settings(MANY, max_examples=150)
@given(NAMES)
def test_files_are_read_and_written_below_the_root_only(tmp_path: Path, name: str) -> None:
    root, outside = tmp_path / "in", tmp_path / "out"
    for folder in (root, outside):
        folder.mkdir(exist_ok=True)
    secret = outside / "secret.txt"
    secret.write_text("secret")
    for link, target in (("link", outside), ("file-link", secret)):
        (root / link).unlink(missing_ok=True)  # a file may have taken its place, inside of the root
        (root / link).symlink_to(target)
    connector = LocalFileSystem({"path": str(root)})
    try:
        for path in (name, f"link/{name}", f"../out/{name}", "file-link", "link/secret.txt", str(secret)):
            with suppress(DocfleetError), connector.open(path) as stream:
                assert stream.read() != b"secret", path
            if path.startswith("link/") or path == name:
                with suppress(DocfleetError), (root / ".bytes").open("wb+") as stream:
                    connector.write_file(path, stream)
    finally:
        connector.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    assert [path.name for path in outside.iterdir()] == ["secret.txt"] and secret.read_text() == "secret"
    assert all(entry.path != "file-link" for entry in LocalFileSystem({"path": str(root)}).list_files(recursive=True))


@MANY
@given(NAMES)
def test_what_an_upload_is_called_is_no_place(tmp_path: Path, name: str) -> None:
    area = Area(tmp_path, "org", "workflow", "execution")
    incoming = area.open(name)
    incoming.write(b"content")
    incoming.finish()
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert found == {f"org/workflow/execution/uploads/{digest}"}


@MANY
@given(NAMES | st.uuids().map(lambda found: f"{found}\n") | st.uuids().map(lambda found: f" {found}"))
def test_an_id_is_a_uuid_or_refused(name: str) -> None:
    with suppress(InvalidInput):
        found = parse_id(name)
        assert len(found) == 36 and set(found) <= set(string.hexdigits + "-")


_HOSTILE = (
    *('"; DROP TABLE victims; --', "'; DELETE FROM victims; --", "`", "]", "a\0b", "x" * 10_000, "ѕelect", "ｄａｔａ"),
    *(
        "data\u0301",
        "ﬁle",
        "Ｉd",
        "İd",
        "ıd",
        "ID",
        "select",
        "order",
        "user",
        "--",
        "/*",
        "$1",
        ":name",
        "%s",
        "%(x)s",
    ),
    *(
        "{0}",
        "?",
        "a.b",
        "public.victims",
        '""',
        "\\",
        "\n",
        "\u202e",
        "",
        " ",
        "file_execution_id",
        "xmin",
        "rowid",
        "\ud800",
    ),
)
KEYS = st.sampled_from(_HOSTILE) | st.text(max_size=12)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Callable[[], list[str]]]]:
    """A connector, and the names of the tables beside its own."""
    if request.param == "sqlite":
        path = tmp_path / "rows.db"
        with closing(sqlite3.connect(path)) as plain, plain:
            plain.execute("CREATE TABLE victims (id INTEGER)")
        connector: Any = SqliteDatabase({"path": str(path)})

        def tables() -> list[str]:
            with closing(sqlite3.connect(path)) as plain:
                return [name for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

        yield connector, tables
        connector.close()
        return
    import psycopg

    url = os.environ["DOCFLEET_TEST_POSTGRES_URL"]
    schema = f"hostile_{os.getpid()}_{threading.get_native_id()}"
    with psycopg.connect(url, autocommit=True) as plain_pg:
        plain_pg.execute(f"CREATE SCHEMA {schema}")
        plain_pg.execute(f"CREATE TABLE {schema}.victims (id INTEGER)")
        connector = PostgresqlDatabase({"connection_url": url, "schema": schema})
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        yield connector, lambda: [name for (name,) in plain_pg.execute(query, (schema,)).fetchall()]
        connector.close()
        plain_pg.execute(f"DROP SCHEMA {schema} CASCADE")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, st.sampled_from(_HOSTILE) | st.integers() | st.none(), max_size=6))
def test_keys_of_content_become_columns_and_nothing_else(database: Any, content: dict[str, Any]) -> None:
    connector, tables = database
    target = TableSettings(table="results", column_mode=ColumnMode.SPLIT)
    row = DeliveryRow(execution_id="e", file_execution_id="f", file_path="'; DROP TABLE victims; --", result=content)
    with suppress(DocfleetError):
        connector.deliver(target, row)
        (found,) = connector.read_rows(target, 10)
        assert all(name.isidentifier() and len(name.encode()) <= MAX_NAME_BYTES for name in found)
    assert set(tables()) <= {"victims", "results"} and "victims" in tables()


@pytest.mark.parametrize("name", [name for name in _HOSTILE if not IDENTIFIER.fullmatch(name) and name])
def test_a_hostile_identifier_is_refused(name: str) -> None:
    attempts = ("table", "single_column_name", "file_path", "execution_id")
    refused = 0
    for field in attempts:
        try:
            TableSettings(**{field: name})
        except ConfigurationError:
            refused += 1
    # "a.b" is a table in a schema, and nothing else is both hostile and an identifier.
    assert refused == len(attempts) - (name in ("a.b", "public.victims"))
    for column in ("x\n", "x\r", "é", "1x"):
        with pytest.raises(ConfigurationError):
            TableSettings(single_column_name=column)


LENGTH = 100_000
TOO_MUCH = 9.0
_UNITS = (
    *("a", "1", " ", "\n", "total ", "invoice number ", "date ", "1.", "1,234,", "12/12/", "-", "=", "€", "<", "<!--"),
    *(
        "-->",
        "0.0.",
        "\\x5c",
        "://a:",
        "a:b@",
        "A1-",
        "s3.",
        "s3-",
        ".s3-a",
        "é",
        "1 jan ",
        "total     ",
        "\xa0",
        "# ",
        "{",
    ),
)
_TEXTS = {f"{unit!r}{end}": (start + unit * LENGTH)[: LENGTH - len(end)] + end
          for unit in _UNITS for start in ("", "total ", "<") for end in ("", "!")}  # fmt: skip
_RULES = Rules((), (), 1, 1.0, None)
_READERS: dict[str, Callable[[str], Any]] = {
    "mask": masking.mask_text,
    "encode a name": paths.encode_name,
    "decode a name": paths.decode_name,
    "path": paths.path_parts,
    "folder": lambda text: storage.resolve_folder(Path("/r"), text),
    "id": parse_id,
    "delivered name": delivery._TAGGED.fullmatch,
    "extension": delivery._EXTENSION.fullmatch,
    "column": lambda text: column_name(text, ()),
    "clean": rows.clean,
    "host": presigned.is_s3,
    "URL": lambda text: presigned._check(f"https://{text}", _RULES),
    "URL of S3": lambda text: presigned._check(f"https://{text}.s3.amazonaws.org", _RULES),
    "currency": find_currency,
    "locale": lambda text: Locale.of(text, "auto", "auto"),
    "amount": lambda text: list(amounts.amounts(text, Locale())),
    "date": lambda text: list(dates.dates(text, Locale())),
    "code": lambda text: list(invoices._CODE.finditer(text)),
    "labels": labels.hits,
}


def _cpu_seconds(read: Callable[[str], Any], text: str) -> float:
    began = time.process_time()
    with suppress(DocfleetError, CallRefused):
        read(text)
    return time.process_time() - began


def _growth(read: Callable[[str], Any], text: str) -> float:
    """How much longer the text takes than its last quarter: 4 where the work is linear, 16 where it is squared.

    1 for a text which takes no time to speak of. The machine is shared, so what looks squared is measured again.
    """
    part = text[-(len(text) // 4) :]
    growth = 1.0
    for _ in range(3):
        whole = _cpu_seconds(read, text)
        growth = whole / _cpu_seconds(read, part) if whole > 0.1 else 1.0
        if growth < TOO_MUCH:
            break
    return growth


@pytest.mark.parametrize("reader", _READERS)
def test_no_pattern_takes_long(reader: str) -> None:
    with suppress(DocfleetError, CallRefused):
        _READERS[reader]("1 a")  # what is loaded once
    slow = {name: growth for name, text in _TEXTS.items() if (growth := _growth(_READERS[reader], text)) > TOO_MUCH}
    assert not slow


def test_a_squared_pattern_is_found() -> None:
    assert _growth(re.compile("a*b").findall, "a" * 20_000) > TOO_MUCH
    assert _growth(re.compile("ab").findall, "a" * 100_000_000) < TOO_MUCH


def test_the_type_of_a_document_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "document"

    def detect(text: str) -> None:
        path.write_text(text)
        media.detect(path, "x.txt")

    assert not {name for name, text in _TEXTS.items() if _growth(detect, text) > TOO_MUCH}


@pytest.mark.parametrize("unit", ["total ", "date ", "invoice number ", "due date 1 ", "factuur 1\n", "total     "])
@pytest.mark.parametrize("preset", ["invoice", "receipt"])
def test_a_text_full_of_labels_takes_no_hours(preset: str, unit: str) -> None:
    text = (unit * LENGTH)[:LENGTH]
    assert _growth(lambda part: presets.apply_preset(preset, part, Locale()), text) < TOO_MUCH
