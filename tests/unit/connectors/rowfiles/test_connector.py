"""Rows as files: names, attempts, documents, and other file systems."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from docfleet.connectors.base import ColumnMode, DeliveryRow, OnChange, TableSettings, WriteFence
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.memory import MemoryFileSystem
from docfleet.connectors.rowfiles.connector import JsonLinesFiles, ParquetFiles, RowFiles
from docfleet.core.errors import ConfigurationError, DestinationRejected, DestinationUnavailable, Fenced, FileError

SINGLE = TableSettings()
SPLIT = TableSettings(table="sales.invoices", column_mode=ColumnMode.SPLIT)
REPLACE = TableSettings(column_mode=ColumnMode.SPLIT, on_change=OnChange.REPLACE)
MONDAY, TUESDAY = "2024-03-04T10:00:00+00:00", "2024-03-05T10:00:00+00:00"


def row(result: Any, file: str = "f1", **changes: Any) -> DeliveryRow:
    values = {"execution_id": "e1", "file_execution_id": file, "file_path": f"{file}.pdf", "result": result}
    return DeliveryRow(**values | changes)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_row_is_one_file_named_by_its_key(tmp_path: Path) -> None:
    rows = JsonLinesFiles({"path": str(tmp_path), "folder": "out"})
    assert rows.deliver(SPLIT, row({"n": 1})).outcome == "written"
    assert rows.deliver(SPLIT, row({"n": 2})).outcome == "replaced"
    rows.deliver(SPLIT, row({"n": 3}, file="f2"))
    assert names(tmp_path) == [f"out/sales/invoices/delivery_run=e1/f{n}.jsonl" for n in (1, 2)]
    rows.deliver(REPLACE, row({"n": 3}, document="d"))
    assert "out/docfleet_results/delivery_source=d/e1@f1.jsonl" in names(tmp_path)


def test_a_repeat_gives_the_same_bytes_but_for_its_time(tmp_path: Path) -> None:
    target = TableSettings(include_timestamp=False)
    rows = ParquetFiles({"path": str(tmp_path)})
    contents = []
    for _ in range(2):
        rows.deliver(target, row({"n": 1}, attempt=1))
        contents.append((tmp_path / names(tmp_path)[0]).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", ["../../x", "/etc", "..", "a/b", "a\0b", "é" * 200, "%2F", "a@b"])
def test_an_id_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    for target in (SINGLE, REPLACE):
        rows = JsonLinesFiles({"path": str(folder)})
        rows.deliver(target, row({"n": 1}, file=name, execution_id=name, document=name))
        stored, *_ = rows.read_back(target, name.replace("\0", "\N{REPLACEMENT CHARACTER}"))
        assert stored.status == "SUCCESS"
    assert names(tmp_path) == [f"in/{path}" for path in names(folder)]
    assert len(names(folder)) == 2


def test_a_later_attempt_is_not_overwritten(tmp_path: Path) -> None:
    rows = JsonLinesFiles({"path": str(tmp_path)})
    rows.deliver(SPLIT, row({"n": 2}, attempt=2))
    for late in (row({"n": 9}, attempt=1), row(None, attempt=1, status="ERROR", error_message="late")):
        with pytest.raises(Fenced, match="later attempt than 1"):
            rows.deliver(SPLIT, late)
    assert [read["n"] for read in rows.read_rows(SPLIT, 9)] == [2]
    assert rows.deliver(SPLIT, row({"n": 3}, attempt=3)).outcome == "replaced"


class Overtaken(LocalFileSystem):
    """A writer that stands still before it writes, while ``meanwhile`` happens."""

    meanwhile: Callable[[], object]

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        self.meanwhile()
        return super().write_file(path, source, fence)


def test_a_writer_that_stood_still_writes_nothing(tmp_path: Path) -> None:
    files = Overtaken({"path": str(tmp_path)})
    successor = JsonLinesFiles({"path": str(tmp_path)})
    files.meanwhile = lambda: successor.deliver(SPLIT, row({"n": 2}, attempt=2))
    with pytest.raises(Fenced):
        JsonLinesFiles({"path": str(tmp_path)}, files).deliver(SPLIT, row({"n": 1}, attempt=1))
    assert [read["n"] for read in successor.read_rows(SPLIT, 9)] == [2]


def of_document(execution: str, created_at: str, total: Any, **more: Any) -> DeliveryRow:
    return row(
        {"total": total},
        execution_id=execution,
        file=f"{execution}-f",
        document="d1",
        execution_created_at=created_at,
        **more,
    )


@pytest.mark.parametrize("created", [(MONDAY, TUESDAY), (TUESDAY, MONDAY), (MONDAY, MONDAY)])
def test_executions_at_once_leave_one_row_of_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, created: tuple[str, str]
) -> None:
    both_wrote = threading.Barrier(2)
    looks = RowFiles._gave_way

    def look_late(*arguments: Any) -> bool:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_wrote.wait(5)
        return looks(*arguments)

    monkeypatch.setattr(RowFiles, "_gave_way", look_late)
    outcomes: dict[str, str] = {}

    def deliver(execution: str, created_at: str) -> None:
        rows = JsonLinesFiles({"path": str(tmp_path)})
        outcomes[execution] = rows.deliver(REPLACE, of_document(execution, created_at, execution)).outcome

    threads = [threading.Thread(target=deliver, args=each) for each in zip(("e1", "e2"), created, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stays = "e1" if created == (TUESDAY, MONDAY) else "e2"
    assert [read["total"] for read in JsonLinesFiles({"path": str(tmp_path)}).read_rows(REPLACE, 9)] == [stays]
    assert outcomes[stays] == "written"


def test_a_file_that_was_changed_meanwhile_is_not_removed(tmp_path: Path) -> None:
    rows = JsonLinesFiles({"path": str(tmp_path)})
    rows.deliver(REPLACE, of_document("e1", MONDAY, 1))
    held = rows._held(REPLACE, "docfleet_results/delivery_source=d1/e1@e1-f.jsonl")
    assert held is not None
    rows.deliver(REPLACE, of_document("e1", MONDAY, 2, attempt=2))
    assert not rows._withdraw(held)
    assert len(rows.read_rows(REPLACE, 9)) == 1


def test_a_damaged_file_is_not_success(tmp_path: Path) -> None:
    rows = ParquetFiles({"path": str(tmp_path)})
    digest = rows.deliver(SINGLE, row({"n": 1})).digest
    file = tmp_path / names(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-9])
    (stored,) = rows.read_back(SINGLE, "e1")
    assert (stored.file_execution_id, stored.digest != digest) == ("f1", True)
    with pytest.raises(DestinationRejected, match=r"f1\.parquet is not a row"):
        rows.read_rows(SINGLE, 9)
    assert rows.deliver(SINGLE, row({"n": 1})).outcome == "replaced"
    assert [stored.digest for stored in rows.read_back(SINGLE, "e1")] == [digest]


def test_another_file_in_the_table_is_left_alone(tmp_path: Path) -> None:
    rows = JsonLinesFiles({"path": str(tmp_path)})
    rows.deliver(SINGLE, row({"n": 1}))
    (tmp_path / "docfleet_results" / "README.md").write_text("theirs")
    assert len(rows.read_rows(SINGLE, 9)) == 1


def test_a_probe_leaves_nothing(tmp_path: Path) -> None:
    assert ParquetFiles({"path": str(tmp_path)}).probe(SPLIT) is True
    assert list(tmp_path.iterdir()) == []


def test_rows_on_a_file_system_of_another_kind() -> None:
    files = MemoryFileSystem()
    rows = JsonLinesFiles({"fileSystem": "s3", "folder": "a/b"}, files)
    rows.check()
    digest = rows.deliver(REPLACE, of_document("e1", MONDAY, 1)).digest
    rows.deliver(REPLACE, of_document("e2", TUESDAY, 2))
    assert [read["total"] for read in rows.read_rows(REPLACE, 9)] == [2]
    assert [stored.digest for stored in rows.read_back(REPLACE, "e2")] != [digest]
    (entry,) = files.list_files(recursive=True)
    assert entry.path == "a/b/docfleet_results/delivery_source=d1/e2@e2-f.jsonl"


def test_a_file_system_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    files = MemoryFileSystem()
    rows = JsonLinesFiles({"fileSystem": "s3"}, files)
    rows.deliver(SINGLE, row({"n": 1}))

    def away(path: str) -> BinaryIO:
        raise FileError("the store does not answer")

    monkeypatch.setattr(files, "open", away)
    for operation in (lambda: rows.deliver(SINGLE, row({"n": 2})), lambda: list(rows.read_back(SINGLE, "e1"))):
        with pytest.raises(DestinationUnavailable, match="does not answer"):
            operation()


def test_a_field_of_the_name_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DestinationRejected, match="delivery_run"):
        JsonLinesFiles({"path": str(tmp_path)}).deliver(SPLIT, row({"delivery_run": 1}))


@pytest.mark.parametrize("settings", [{}, {"path": "x", "fileSystem": "local"}, {"fileSystemSettings": {"path": "x"}}])
def test_one_place_is_set(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"either 'path'.* or 'fileSystem'"):
        JsonLinesFiles(settings)


@pytest.mark.parametrize("name", ["local", "postgresql", "none"])
def test_no_secret_of_the_file_system_is_in_a_message(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        JsonLinesFiles({"fileSystem": name, "fileSystemSettings": {"secret": "canary-7315"}})
    assert "canary" not in error.value.message
    assert "fileSystemSettings" in JsonLinesFiles.info.secrets


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for operation in (lambda rows: rows.check(), lambda rows: rows.deliver(SINGLE, row({}))):
        with pytest.raises(DestinationRejected, match=str(tmp_path)):
            operation(JsonLinesFiles({"path": str(tmp_path / "new")}))


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "docfleet.connectors.rowfiles.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    with pytest.raises(ConfigurationError, match=r"arro3.*docfleet-connectors\[parquet\]"):
        ParquetFiles({"path": str(tmp_path)})


def test_the_content_is_read_back_from_the_file(tmp_path: Path) -> None:
    rows = JsonLinesFiles({"path": str(tmp_path)})
    digest = rows.deliver(SPLIT, row({"n": 3, "who": "x"})).digest
    file = tmp_path / names(tmp_path)[0]
    for old, new in (('"n": 3', '"n": 4'), ('"who": "x"', '"who": null'), ("SUCCESS", "ERROR")):
        text = file.read_text()
        file.write_text(text.replace(old, new))
        assert [stored.digest for stored in rows.read_back(SPLIT, "e1")] != [digest]
        file.write_text(text)
    assert [stored.digest for stored in rows.read_back(SPLIT, "e1")] == [digest]
    assert io.StringIO(file.read_text()).readline().endswith("\n")
