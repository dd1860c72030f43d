"""One contract, every file system connector that writes: complete files, one writer, nothing left behind."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from typing import Any

import pytest

from docfleet.connectors.base import FileSystemConnector, WriteFence
from docfleet.core.errors import DestinationRejected, Fenced, FileError, UnsafePath
from tests.contract.connectors.filesystems.stores import Place, Store
from tests.contract.connectors.filesystems.test_files import UNSAFE, listed, read


def write(files: FileSystemConnector, path: str, content: bytes = b"x", fence: WriteFence | None = None) -> str:
    return files.write_file(path, io.BytesIO(content), fence)


def fence(attempt: int, require: Callable[[], None] = lambda: None, file: str = "f1") -> WriteFence:
    return WriteFence(file, attempt, require)


def lost() -> None:
    raise Fenced("the lease was lost")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class During(io.BytesIO):
    """A file that lets something happen while it is read."""

    def __init__(self, content: bytes, happens: Callable[[], Any]) -> None:
        super().__init__(content)
        self._happens: Callable[[], Any] | None = happens

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return chunk


def test_a_repeated_write_replaces(writable: FileSystemConnector) -> None:
    writable.check(write=True)
    location = write(writable, "out/a.txt", b"first, and longer")
    assert write(writable, "out/a.txt", b"second") == location
    assert read(writable, "out/a.txt") == b"second"
    assert listed(writable) == ["out/a.txt"]


@pytest.mark.parametrize("size", [0, 1, 9 * 1024 * 1024 + 1])
def test_every_size_arrives_as_it_is(size: int, writable: FileSystemConnector) -> None:
    content = bytes(index % 251 for index in range(4096)) * (size // 4096 + 1)
    write(writable, "a.bin", content[:size])
    assert digest(read(writable, "a.bin")) == digest(content[:size])


@pytest.mark.parametrize("path", ["a.txt", "deep/Größe 東京/b c%20d.txt"])
def test_a_location_is_the_path_of_its_file(path: str, writable: FileSystemConnector, place: Place) -> None:
    location = write(writable, path)
    other = place.open()
    assert other.path_of(location) == path
    assert read(other, other.path_of(location)) == b"x"
    other.close()


def test_unsafe_paths_write_nothing(store: Store, writable: FileSystemConnector) -> None:
    for path in (*UNSAFE, "", "."):
        with pytest.raises(UnsafePath):
            write(writable, path)
    assert listed(writable) == []


def test_a_file_stands_where_no_folder_is(store: Store, writable: FileSystemConnector) -> None:
    if not store.has_folders:
        pytest.skip(f"{store.name} has no folders")
    write(writable, "sub/a.txt")
    for path in ("sub", "sub/a.txt/b"):
        with pytest.raises(DestinationRejected):
            write(writable, path)
    assert listed(writable) == ["sub/a.txt"]


def test_a_reader_sees_one_complete_version(writable: FileSystemConnector) -> None:
    versions = [bytes([65 + number]) * 300_000 for number in range(4)]
    write(writable, "a", versions[0])
    writers = [threading.Thread(target=write, args=(writable, "a", version)) for version in versions]
    for writer in writers:
        writer.start()
    seen = {read(writable, "a") for _ in range(20)}
    for writer in writers:
        writer.join()
    assert seen <= set(versions)
    assert listed(writable) == ["a"]


def test_a_failed_write_leaves_the_earlier_file(writable: FileSystemConnector) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    write(writable, "a", b"old")
    with pytest.raises((FileError, OSError)):
        writable.write_file("a", During(b"new", fail), fence(1))
    assert read(writable, "a") == b"old"
    assert listed(writable) == ["a"]


def test_a_writer_without_its_lease_gives_nothing_a_name(writable: FileSystemConnector) -> None:
    with pytest.raises(Fenced):
        write(writable, "a", b"late", fence(1, lost))
    assert listed(writable) == []
    write(writable, "a", b"new", fence(2))
    with pytest.raises(Fenced):
        write(writable, "a", b"late", fence(1, lost))
    assert read(writable, "a") == b"new"


def test_the_lease_is_looked_at_after_the_content_was_read(writable: FileSystemConnector) -> None:
    order: list[str] = []
    source = During(b"x", lambda: order.append("read"))
    writable.write_file("a", source, fence(1, lambda: order.append("require")))
    assert order[0] == "read"
    assert order[-1] == "require"


def test_a_writer_that_was_overtaken_changes_nothing(writable: FileSystemConnector, place: Place) -> None:
    """The lease was lost and taken over while this one stood still in the middle of its content."""
    successor = place.open()
    leases = {1: True, 2: True}

    def require(attempt: int) -> Callable[[], None]:
        return lambda: None if leases[attempt] else lost()

    def overtake() -> None:
        leases[1] = False
        write(successor, "a", b"new", fence(2, require(2)))

    with pytest.raises(Fenced):
        writable.write_file("a", During(b"old", overtake), fence(1, require(1)))
    assert read(successor, "a") == b"new"
    assert listed(successor) == ["a"]
    successor.close()


def test_repeated_attempts_leave_one_file(writable: FileSystemConnector, place: Place) -> None:
    locations = set()
    for attempt in (1, 2, 2, 3):
        worker = place.open()
        locations.add(write(worker, "out/a", b"same", fence(attempt)))
        worker.close()
    assert len(locations) == 1
    assert (listed(writable), read(writable, "out/a")) == (["out/a"], b"same")


def test_withdrawing_removes_what_was_delivered_and_nothing_else(writable: FileSystemConnector) -> None:
    write(writable, "a", b"mine", fence(1))
    write(writable, "b", b"theirs")
    assert writable.withdraw_file("b", digest(b"mine"), fence(1)) is False
    assert writable.withdraw_file("none", digest(b"mine"), fence(1)) is False
    assert writable.withdraw_file("no/folder", digest(b"mine"), fence(1)) is False
    with pytest.raises(Fenced):
        writable.withdraw_file("a", digest(b"mine"), fence(1, lost))
    assert listed(writable) == ["a", "b"]
    assert writable.withdraw_file("a", digest(b"mine"), fence(2)) is True
    assert writable.withdraw_file("a", digest(b"mine"), fence(2)) is False
    assert listed(writable) == ["b"]
    for path in UNSAFE:
        with pytest.raises(UnsafePath):
            writable.withdraw_file(path, digest(b"mine"), fence(2))


def test_a_withdrawal_outlives_a_writer_that_stands_still(writable: FileSystemConnector, place: Place) -> None:
    successor = place.open()
    leases = {1: True}

    def take_back() -> None:
        leases[1] = False
        successor.withdraw_file("a", digest(b"old"), fence(2))

    with pytest.raises(Fenced):
        writable.write_file("a", During(b"old", take_back), fence(1, lambda: None if leases[1] else lost()))
    assert listed(successor) == []
    successor.close()
