"""A test of a connector: what it tries, what it says, what it leaves."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from docfleet.connectors import probe as module
from docfleet.connectors.base import ConnectorInfo
from docfleet.connectors.memory import MemoryFileSystem
from docfleet.connectors.probe import PAGE, directions, probe
from docfleet.core.errors import ConfigurationError, DestinationRejected, FileError
from docfleet.core.management.connectors import ConnectorTestResult

CANARY = "canary-7f3a"


def steps(result: ConnectorTestResult) -> list[tuple[str, bool]]:
    return [(step.name, step.ok) for step in result.steps]


def test_a_source_is_listed_and_its_first_file_opened(tmp_path: Path) -> None:
    for number in range(PAGE + 5):
        (tmp_path / f"{number:04}.txt").write_text("text")
    result = probe("local", {"path": str(tmp_path)}, "source", {})
    assert steps(result) == [("connect", True), ("list", True), ("read", True)]
    assert f"{PAGE} or more files (0000.txt, 0001.txt, 0002.txt, ...)" in result.steps[1].detail
    assert result.ok


def test_each_folder_is_listed_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    result = probe("local", {"path": str(tmp_path)}, "source", {"folders": ["/in", "/out"]})
    assert steps(result) == [("connect", True), ("list", True), ("list", False)]
    assert (result.ok, result.steps[2].code) == (False, "source_not_found")
    assert "out does not exist" in result.steps[2].detail


def test_a_destination_of_files_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    result = probe("local", {"path": str(tmp_path)}, "destination", {"outputFolder": "/"})
    assert steps(result) == [("connect", True), ("write", True), ("read", True), ("delete", True)]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_what_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    folder, file = tmp_path / "new" / "out", tmp_path / "new" / "rows.db"
    for connector, path in (("local", folder), ("sqlite", file)):
        result = probe(connector, {"path": str(path)}, "destination", {})
        assert result.ok
        assert "first delivery makes it" in result.steps[0].detail + result.steps[-1].detail
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("x")
    for connector in ("local", "sqlite"):
        assert not probe(connector, {"path": str(tmp_path / "file" / "out")}, "destination", {}).ok


def test_a_database_keeps_no_table_of_the_test(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    sqlite3.connect(path).execute("CREATE TABLE theirs (a)").connection.close()
    result = probe("sqlite", {"path": str(path)}, "destination", {"table": "theirs"})
    assert steps(result) == [("connect", True), ("read", True), ("write", True)]
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("theirs",)]


class Store(MemoryFileSystem):
    """A store with a secret, whose errors repeat it."""

    info: ClassVar[ConnectorInfo] = msgspec.structs.replace(
        MemoryFileSystem.info,
        json_schema={"type": "object", "properties": {"token": {"type": "string"}}},
        secrets=("token",),
    )
    shared: ClassVar[MemoryFileSystem]
    fails: ClassVar[str] = ""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._token = settings["token"]
        self._files = self.shared._files

    def check(self, *, write: bool = False) -> None:
        if self.fails == "check":
            raise DestinationRejected(f"the token {self._token} is wrong")

    def open(self, path: str) -> io.BytesIO:
        if self.fails == "open":
            raise FileError(f"{path} may not be read with {self._token}")
        if self.fails == "other":
            return io.BytesIO(b"something else")
        return super().open(path)  # type: ignore[return-value]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> type[Store]:
    monkeypatch.setattr(module, "connector_info", lambda _: Store.info)
    monkeypatch.setattr(module, "open_file_system", lambda _, settings: Store(settings))
    monkeypatch.setattr(Store, "shared", MemoryFileSystem(), raising=False)
    return Store


@pytest.mark.parametrize("fails", ["check", "open", "other"])
def test_a_failure_leaves_nothing_and_shows_no_secret(
    fails: str, store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "fails", fails)
    result = probe("store", {"token": CANARY}, "destination", {})
    assert (result.ok, result.steps[-1].ok) == (False, False)
    assert CANARY not in str(result)
    assert list(store.shared.list_files(recursive=True)) == []


def test_one_file_that_may_not_be_read_fails_the_test(store: type[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store.shared.write_file("a.txt", io.BytesIO(b"x"))
    monkeypatch.setattr(store, "fails", "open")
    result = probe("store", {"token": CANARY}, "source", {})
    assert steps(result)[-1] == ("read", False)
    assert result.steps[-1].detail == "a.txt may not be read with ***"


def test_directions_and_wrong_settings_are_refused(tmp_path: Path) -> None:
    assert directions("local") == ("source", "destination")
    assert directions("sqlite") == ("destination",)
    with pytest.raises(ConfigurationError, match="sqlite is no source of files"):
        probe("sqlite", {"path": str(tmp_path / "a.db")}, "source", {})
    with pytest.raises(ConfigurationError, match="'pth'"):
        probe("local", {"pth": "x"}, "source", {})
    for wrong in ({"folders": "in"}, {"maxDepth": "deep"}, {"maxDepth": 0}):
        with pytest.raises(ConfigurationError, match="options are not valid"):
            probe("local", {"path": str(tmp_path)}, "source", wrong)


def test_a_missing_library_is_named_before_anything_is_tried(
    store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = msgspec.structs.replace(Store.info, libraries=("no_such_library",), extra="far")
    monkeypatch.setattr(module, "connector_info", lambda _: without)
    with pytest.raises(ConfigurationError, match=r"pip install 'docfleet-connectors\[far\]'"):
        probe("store", {"token": CANARY}, "source", {})
