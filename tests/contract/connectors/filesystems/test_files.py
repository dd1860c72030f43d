"""One contract, every file system connector."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.filesystems.sftp.connector import SftpFileSystem
from docfleet.connectors.memory import MemoryFileSystem
from docfleet.core.errors import (
    DestinationRejected,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnreadable,
    UnsafePath,
)
from tests.contract.connectors.child_process import assert_refused_in_a_child


@pytest.fixture(params=["local", "memory", "sftp"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileSystemConnector]:
    connector: FileSystemConnector
    if request.param == "local":
        connector = LocalFileSystem({"path": str(tmp_path)})
    elif request.param == "memory":
        connector = MemoryFileSystem()
    else:
        server = request.getfixturevalue("ssh_server")
        connector = SftpFileSystem(server.settings(user_dir=f"contract/{uuid.uuid4()}"))
        connector.check(write=True)
    yield connector
    connector.close()


def write(files: FileSystemConnector, path: str, content: bytes = b"x") -> str:
    return files.write_file(path, io.BytesIO(content))


def read(files: FileSystemConnector, path: str) -> bytes:
    with files.open(path) as content:
        return content.read()


def test_what_is_written_is_listed_and_read(files: FileSystemConnector) -> None:
    for path in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.txt"):
        write(files, path, path.encode())
    files.check()
    listed = {entry.path: entry for entry in files.list_files(recursive=True)}
    assert list(listed) == ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"]
    assert listed["sub/deep/d.txt"].name == "d.txt"
    for path, entry in listed.items():
        assert entry.size == len(path)
        assert entry.modified_at > 1e9
        assert read(files, path) == path.encode()


def test_folder_recursion_and_depth(files: FileSystemConnector) -> None:
    for path in ("a", "s/b", "s/t/c", "s/t/u/d"):
        write(files, path)
    skipped: list[str] = []

    def listed(folder: str, recursive: bool, depth: int = 10) -> list[str]:
        found = files.list_files(
            folder, recursive=recursive, max_depth=depth, on_skip=lambda path, _: skipped.append(path)
        )
        return [entry.path for entry in found]

    assert listed("/", False) == ["a"]
    assert listed("s", True) == ["s/b", "s/t/c", "s/t/u/d"]
    assert skipped == []
    assert listed("/s/", True, 2) == ["s/b", "s/t/c"]
    assert skipped == ["s/t/u"]


def test_what_is_no_document_is_left_out_once(files: FileSystemConnector) -> None:
    for path in ("a", "no", "s/b", "s/no/c", "s/no/t/no", "no more/d"):
        write(files, path)
    skipped: list[tuple[str, str]] = []

    def listed(folder: str) -> list[str]:
        found = files.list_files(
            folder, recursive=True, on_skip=lambda *entry: skipped.append(entry), ignore=lambda name: name == "no"
        )
        return [entry.path for entry in found]

    assert listed("") == ["a", "no more/d", "s/b"] or listed("") == ["a", "s/b", "no more/d"]
    assert set(skipped) == {("no", "no_document"), ("s/no", "no_document")}
    assert listed("s/no") == ["s/no/c"]


def test_the_state_of_a_file_is_that_of_its_listing(files: FileSystemConnector) -> None:
    write(files, "a", b"four")
    (entry,) = files.list_files(recursive=True)
    state = files.state("a")
    assert state is None or (state.size, state.modified_at, state.is_open) == (4, entry.modified_at, False)


def test_a_repeated_write_replaces(files: FileSystemConnector) -> None:
    location = write(files, "out/a.txt", b"first, and longer")
    assert write(files, "out/a.txt", b"second") == location
    assert read(files, "out/a.txt") == b"second"
    assert len(list(files.list_files(recursive=True))) == 1


@pytest.mark.parametrize("name", ["a b.txt", "Größe.txt", "quo\"te'.txt", "new\nline", "x" * 250, "bytes-\\xe9.txt"])
def test_odd_names(name: str, files: FileSystemConnector) -> None:
    write(files, name, b"content")
    (entry,) = files.list_files(recursive=True)
    assert entry.path == entry.name == name
    assert read(files, entry.path) == b"content"


def test_errors_are_the_same_everywhere(files: FileSystemConnector) -> None:
    write(files, "sub/a.txt")
    with pytest.raises(FileMissing):
        files.open("sub/b.txt")
    with pytest.raises(FileMissing):
        files.open("sub/a.txt/b")
    with pytest.raises(FileError):
        files.open("sub")
    with pytest.raises(SourceNotFound):
        files.list_files("absent", recursive=True)
    with pytest.raises(SourceUnreadable):
        files.list_files("sub/a.txt", recursive=True)
    for path in ("../a", "/a", "a/../../b", "a\0"):
        with pytest.raises(UnsafePath):
            files.open(path)
        with pytest.raises(UnsafePath):
            write(files, path)
    for path in ("sub", "sub/a.txt/b"):
        with pytest.raises(DestinationRejected):
            write(files, path)
    assert [entry.path for entry in files.list_files(recursive=True)] == ["sub/a.txt"]


def test_a_reader_sees_one_complete_version(files: FileSystemConnector) -> None:
    versions = [bytes([65 + number]) * 300_000 for number in range(4)]
    write(files, "a", versions[0])
    writers = [threading.Thread(target=write, args=(files, "a", version)) for version in versions]
    for writer in writers:
        writer.start()
    seen = {read(files, "a") for _ in range(50)}
    for writer in writers:
        writer.join()
    assert seen <= set(versions)
    assert [entry.path for entry in files.list_files(recursive=True)] == ["a"]


def test_use_in_a_child_process_is_refused(files: FileSystemConnector) -> None:
    write(files, "a")
    operations = (
        files.check,
        lambda: files.list_files(recursive=True),
        lambda: files.open("a"),
        lambda: write(files, "b"),
        files.close,
    )
    assert_refused_in_a_child(operations)
