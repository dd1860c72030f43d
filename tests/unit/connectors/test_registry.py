"""Finding and opening connectors by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docfleet.connectors.base import ConnectorMode
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.registry import (
    connector_info,
    connector_names,
    connectors,
    open_connector,
    open_database,
    open_file_system,
)
from docfleet.connectors.settings import connector_settings
from docfleet.core.errors import ConfigurationError

LOCAL_ID = "localstorage|ded5e7f0-f527-416d-8d4a-19f559bd6da5"


def test_the_shipped_connectors_are_installed() -> None:
    assert {"local", "sqlite", "postgresql"} <= set(connector_names())
    for name, found in connectors().items():
        assert connector_info(name) is found.info
        assert "|" in found.info.connector_id
        assert set(found.info.secrets) <= set(found.info.json_schema["properties"])
    assert connector_info("postgresql").mode is ConnectorMode.DATABASE


@pytest.mark.parametrize("name", ["local", "localstorage", LOCAL_ID])
def test_a_connector_opens_by_name_and_by_the_originals_id(name: str, tmp_path: Path) -> None:
    connector = open_connector(name, {"path": str(tmp_path), "connectorName": "docs"})
    assert isinstance(connector, LocalFileSystem)


@pytest.mark.parametrize("name", ["s3", "local|00000000-0000-0000-0000-000000000000", ""])
def test_an_unknown_connector_lists_the_known(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"installed are .*local, .*sqlite"):
        open_connector(name, {})


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("local", {}, "'path' is missing"),
        ("local", {"path": "  "}, "'path' is missing"),
        ("local", {"path": "/x", "pth": "/y"}, "unknown field 'pth'"),
        ("postgresql", {"password": "tops3cret"}, "'host'"),
        ("postgresql", {"connection_url": "mysql://u:tops3cret@h/d"}, "'connection_url'"),
        ("postgresql", {"connection_url": "tops3cret"}, "'connection_url'"),
        ("postgresql", {"connection_url": "postgresql://u:tops3cret@h:port/d"}, "'connection_url'"),
    ],
)
def test_a_wrong_field_is_named_and_no_secret_is(name: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_connector(name, settings)
    assert says in caught.value.message
    assert "tops3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("local", {"path": 3}, "'path' must be of type string"),
        ("postgresql", {"host": "h", "port": "many"}, "'port' must be of type integer"),
        ("postgresql", {"host": "h", "port": True}, "'port' must be of type integer"),
        ("postgresql", {"host": "h", "port": 5432.0}, "'port' must be of type integer, not float"),
    ],
)
def test_a_mistyped_field_is_refused_before_it_is_stored(name: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connector_settings(connector_info(name), settings)
    assert says in caught.value.message


def test_the_mode_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a database connector is needed"):
        open_database("local", {"path": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="a filesystem connector is needed"):
        open_file_system("sqlite", {"path": str(tmp_path / "a.db")})


def test_opening_a_folder_loads_no_database_library(tmp_path: Path) -> None:
    program = """
import sys
import docfleet.connectors.base, docfleet.connectors.memory, docfleet.connectors.delivery
from docfleet.connectors.registry import open_file_system
list(open_file_system(sys.argv[1], {"path": sys.argv[2]}).list_files(recursive=True))
print(sorted({name.partition(".")[0] for name in sys.modules} & {"sqlalchemy", "psycopg", "sqlite3"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, LOCAL_ID, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
