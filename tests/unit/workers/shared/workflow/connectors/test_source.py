"""Sources of files: connectors and the uploads of an API."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.errors import EmptyFile, FileChanging, FileMissing, SourceError, UnsafePath
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    OrganizationContext,
    SourceConfig,
    WorkflowDefinition,
)
from docfleet.core.files import FileHashData, FileProcessingUtils
from docfleet.core.names import execution_queues
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import upload_folder
from docfleet.workers.shared.workflow.connectors import stillness
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource, UploadSource, open_source


def test_fetching_hashes_on_the_way_and_refuses_nothing_to_read(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_bytes(b"hello")
    (source / "empty.txt").touch()
    fetcher = ConnectorSource(SourceConfig(connector_id="local", connector_settings={"path": str(source)}), 0)
    target = tmp_path / "SOURCE"
    digest = fetcher.fetch(FileHashData(file_name="a.txt", file_path="a.txt"), target)
    assert digest == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert target.read_bytes() == b"hello"
    with pytest.raises(EmptyFile):
        fetcher.fetch(FileHashData(file_name="empty.txt", file_path="empty.txt"), tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SOURCE", "in"]


def context(*, api: bool = True, folder: Path | None = None) -> ExecutionContext:
    return ExecutionContext(
        execution=ExecutionInfo(id="e1", workflow_id="w1", status=ExecutionStatus.EXECUTING),
        workflow_definition=WorkflowDefinition(workflow_id="w1", workflow_name="n"),
        source_config=SourceConfig(is_api=api, connector_id="local", connector_settings={"path": str(folder)}),
        destination_config=DestinationConfig(is_api=api, connection_type="API" if api else "FILESYSTEM"),
        organization_context=OrganizationContext(organization_id="org"),
    )


def staged(root: Path, content: bytes, **changes: Any) -> FileHashData:
    digest = hashlib.sha256(content).hexdigest()
    folder = root / upload_folder("org", "w1", "e1")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(content)
    entry = {
        "file_name": "../../etc/passwd",
        "file_path": f"{upload_folder('org', 'w1', 'e1')}/{digest}",
        "file_hash": digest,
        "file_size": len(content),
        "source_connection_type": "API",
        **changes,
    }
    return FileHashData.from_dict(entry)


def test_a_staged_file_is_fetched_by_its_hash_not_by_its_name(tmp_path: Path) -> None:
    file = staged(tmp_path, b"hello")
    target = tmp_path / "SOURCE"
    assert UploadSource(tmp_path, context()).fetch(file, target) == file.file_hash
    assert target.read_bytes() == b"hello"
    assert target.stat().st_ino == (tmp_path / file.file_path).stat().st_ino, "a copy where a second name would do"


def test_a_file_system_without_hard_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    file = staged(tmp_path, b"hello")
    UploadSource(tmp_path, context()).fetch(file, tmp_path / "SOURCE")
    assert (tmp_path / "SOURCE").read_bytes() == b"hello"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file_size": 4}, SourceError),
        ({"file_path": "org/w1/other/uploads/x"}, UnsafePath),
        ({"file_path": "../../../etc/passwd"}, UnsafePath),
        ({"file_hash": "0" * 64}, UnsafePath),
        ({"file_hash": "0" * 64, "file_path": f"org/w1/e1/uploads/{'0' * 64}"}, FileMissing),
    ],
)
def test_a_file_that_is_not_what_the_message_says_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: type[Exception]
) -> None:
    file = staged(tmp_path, b"hello", **changes)
    with pytest.raises(expected):
        UploadSource(tmp_path, context()).fetch(file, tmp_path / "SOURCE")
    assert not (tmp_path / "SOURCE").exists()


def test_an_empty_upload_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile):
        UploadSource(tmp_path, context()).fetch(staged(tmp_path, b""), tmp_path / "SOURCE")


def test_the_files_of_a_message_keep_their_order_and_a_bad_entry_is_kept(tmp_path: Path) -> None:
    message = {name: staged(tmp_path, name.encode(), file_name=name).to_dict() for name in ("z", "a", "m")}
    message["bad"] = {"file_size": "many"}
    files = list(
        UploadSource(tmp_path, context(), FileProcessingUtils.convert_file_hash_data(message).values()).files()
    )
    assert [file.file_name for file in files] == ["z", "a", "m", "bad"]
    assert files[3].rejection and not files[0].rejection


def test_the_context_chooses_source_and_queues(tmp_path: Path) -> None:
    assert isinstance(open_source(context(), tmp_path, 0), UploadSource)
    assert isinstance(open_source(context(api=False, folder=tmp_path), tmp_path, 0), ConnectorSource)
    assert context().queues is execution_queues(is_api=True)
    assert context(api=False).queues is execution_queues(is_api=False)


def _source(folder: Path, still_seconds: float) -> ConnectorSource:
    return ConnectorSource(SourceConfig(connector_id="local", connector_settings={"path": str(folder)}), still_seconds)


def _aged(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_file_that_a_program_writes_is_left_out_of_a_listing_and_refused(seconds: float, tmp_path: Path) -> None:
    _aged(tmp_path / "in" / "a.txt", b"complete")
    growing = _aged(tmp_path / "in" / "b.txt", b"half")
    source = _source(tmp_path / "in", seconds)
    with growing.open("ab") as writer:
        writer.write(b" of it")
        writer.flush()
        assert [file.file_path for file in source.files()] == ["a.txt"]
        assert source.left_out.examples == {"still_written": ["b.txt"]}
        with pytest.raises(FileChanging, match=r"b\.txt is still being written .*open for writing"):
            source.fetch(FileHashData(file_name="b.txt", file_path="b.txt"), tmp_path / "SOURCE")
        assert not (tmp_path / "SOURCE").exists()
    again = _source(tmp_path / "in", seconds)
    assert [file.file_path for file in again.files()] == ["a.txt", "b.txt"] and again.left_out.counts == {}
    again.fetch(FileHashData(file_name="b.txt", file_path="b.txt"), tmp_path / "SOURCE")
    assert (tmp_path / "SOURCE").read_bytes() == b"half of it"


def test_a_file_that_is_opened_for_each_line_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _aged(tmp_path / "in" / "a.txt", b"complete")
    growing = tmp_path / "in" / "b.txt"
    growing.write_bytes(b"half")
    (tmp_path / "in" / "c.txt").write_bytes(b"new, complete")
    waits: list[float] = []

    def append(seconds: float) -> None:
        waits.append(seconds)
        growing.write_bytes(growing.read_bytes() + b" more")

    monkeypatch.setattr(stillness.time, "sleep", append)
    source = _source(tmp_path / "in", 60)
    assert [file.file_path for file in source.files()] == ["a.txt", "c.txt"] and waits == [60]
    assert source.left_out.examples == {"still_written": ["b.txt"]}
    with pytest.raises(FileChanging, match="grew from 9 to 14 bytes"):
        source.fetch(FileHashData(file_name="b.txt", file_path="b.txt"), tmp_path / "SOURCE")
    assert waits == [60, 60]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _aged(tmp_path / "in" / "a.txt", b"x" * 100)
    source = _source(tmp_path / "in", 0)
    opened = LocalFileSystem.open
    calls = 0

    def open_and_append(self: LocalFileSystem, name: str) -> Any:
        nonlocal calls
        calls += 1
        file = opened(self, name)
        if calls == 2:  # the first one is for the state before
            path.write_bytes(b"y" * 100)
        return file

    monkeypatch.setattr(LocalFileSystem, "open", open_and_append)
    with pytest.raises(FileChanging, match="changed meanwhile"):
        source.fetch(FileHashData(file_name="a.txt", file_path="a.txt"), tmp_path / "SOURCE")
    assert not (tmp_path / "SOURCE").exists()


def test_a_clock_that_is_ahead_costs_a_wait_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _aged(tmp_path / "in" / "a.txt", b"x")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    waits: list[float] = []
    monkeypatch.setattr(stillness.time, "sleep", waits.append)
    source = _source(tmp_path / "in", 2)
    assert [file.file_path for file in source.files()] == ["a.txt"]
    source.fetch(FileHashData(file_name="a.txt", file_path="a.txt"), tmp_path / "SOURCE")
    assert waits == [2, 2] and (tmp_path / "SOURCE").exists()


def test_what_is_gone_after_the_wait_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    monkeypatch.setattr(stillness.time, "sleep", lambda _: (tmp_path / "a.txt").unlink())
    source = _source(tmp_path, 60)
    assert list(source.files()) == [] and source.left_out.counts == {}
