"""One contract, every file system connector: listing and reading."""

from __future__ import annotations

import io
from itertools import islice

import pytest

from docfleet.connectors.base import FileSystemConnector
from docfleet.core.errors import FileError, FileMissing, SourceNotFound, SourceUnreadable, UnsafePath
from tests.contract.connectors.child_process import assert_refused_in_a_child
from tests.contract.connectors.filesystems.stores import Place, Store

UNSAFE = ("../a", "/a", "a/../../b", "a\0", "..")


def read(files: FileSystemConnector, path: str) -> bytes:
    with files.open(path) as content:
        return content.read()


def listed(files: FileSystemConnector, folder: str = "") -> list[str]:
    return [entry.path for entry in files.list_files(folder, recursive=True)]


def test_what_is_there_is_listed_in_order_and_read(place: Place, files: FileSystemConnector) -> None:
    for path in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.txt", "sub/B.txt"):
        place.write(path, path.encode())
    files.check()
    found = {entry.path: entry for entry in files.list_files(recursive=True)}
    assert list(found) == ["a.txt", "b.txt", "sub/B.txt", "sub/c.txt", "sub/deep/d.txt"]
    assert found["sub/deep/d.txt"].name == "d.txt"
    for path, entry in found.items():
        assert entry.size == len(path)
        assert entry.modified_at > 1e9
        assert read(files, path) == path.encode()


def test_nothing_is_an_empty_list(files: FileSystemConnector) -> None:
    files.check()
    assert listed(files) == []


def test_an_empty_file_is_a_file(place: Place, files: FileSystemConnector) -> None:
    place.write("empty", b"")
    (entry,) = files.list_files(recursive=True)
    assert (entry.path, entry.size, read(files, "empty")) == ("empty", 0, b"")


def test_folder_recursion_and_depth(place: Place, files: FileSystemConnector) -> None:
    for path in ("a", "s/b", "s/t/c", "s/t/u/d", "st/e"):
        place.write(path)
    skipped: list[tuple[str, str]] = []

    def found(folder: str, recursive: bool, depth: int | None = 10) -> list[str]:
        entries = files.list_files(
            folder, recursive=recursive, max_depth=depth, on_skip=lambda *entry: skipped.append(entry)
        )
        return [entry.path for entry in entries]

    assert found("/", False) == ["a"]
    assert found("s", True) == ["s/b", "s/t/c", "s/t/u/d"]
    assert found("s", True, None) == ["s/b", "s/t/c", "s/t/u/d"]
    assert found("s/t", False) == ["s/t/c"]
    assert skipped == []
    assert found("/s/", True, 2) == ["s/b", "s/t/c"]
    assert skipped == [("s/t/u", "too_deep")]


def test_what_is_no_document_is_left_out_once(place: Place, files: FileSystemConnector) -> None:
    for path in ("a", "no", "s/b", "s/no/c", "s/no/t/no", "no more/d"):
        place.write(path)
    skipped: list[tuple[str, str]] = []

    def found(folder: str) -> list[str]:
        entries = files.list_files(
            folder, recursive=True, on_skip=lambda *entry: skipped.append(entry), ignore=lambda name: name == "no"
        )
        return [entry.path for entry in entries]

    assert found("") in (["a", "no more/d", "s/b"], ["a", "s/b", "no more/d"])
    assert set(skipped) == {("no", "no_document"), ("s/no", "no_document")}
    assert len(skipped) == 2
    assert found("s/no") == ["s/no/c"]


def test_a_listing_may_be_left_off(place: Place, files: FileSystemConnector) -> None:
    for number in range(5):
        place.write(f"{number}")
    entries = files.list_files(recursive=True)
    assert [entry.path for entry in islice(entries, 2)] == ["0", "1"]
    del entries
    assert len(listed(files)) == 5


def test_a_changed_file_is_not_the_same_one(place: Place, files: FileSystemConnector) -> None:
    place.write("a", b"one")
    (before,) = files.list_files(recursive=True)
    (again,) = files.list_files(recursive=True)
    assert (again.provider_file_uuid, again.modified_at) == (before.provider_file_uuid, before.modified_at)
    place.write("a", b"other")
    (after,) = files.list_files(recursive=True)
    assert (after.size, after.modified_at >= before.modified_at) == (5, True)
    assert after.provider_file_uuid is None or after.provider_file_uuid != before.provider_file_uuid


def test_the_state_of_a_file_is_that_of_its_listing(place: Place, files: FileSystemConnector) -> None:
    place.write("a", b"four")
    (entry,) = files.list_files(recursive=True)
    state = files.state("a")
    assert state is None or (state.size, state.modified_at, state.is_open) == (4, entry.modified_at, False)


@pytest.mark.parametrize(
    "name",
    [
        "a b.txt",
        "Größe.txt",
        "東京.txt",
        "quo\"te'.txt",
        "100%.txt",
        "a+b&c=d?e#f.txt",
        "new\nline",
        "x" * 250,
        "bytes-\\xe9.txt",
        "-rf *.txt",
        ".hidden",
    ],
)
def test_odd_names(name: str, store: Store, place: Place, files: FileSystemConnector) -> None:
    if not store.has_odd_names and ("\n" in name or "\\" in name):
        pytest.skip(f"{store.name} has no such names")
    place.write(f"in/{name}", b"content")
    (entry,) = files.list_files(recursive=True)
    assert (entry.path, entry.name) == (f"in/{name}", name)
    assert read(files, entry.path) == b"content"


def test_names_that_differ_by_case_are_two_files(place: Place, files: FileSystemConnector) -> None:
    place.write("a/File.txt", b"upper")
    place.write("a/file.txt", b"lower")
    assert listed(files) == ["a/File.txt", "a/file.txt"]
    assert (read(files, "a/File.txt"), read(files, "a/file.txt")) == (b"upper", b"lower")


def test_errors_are_the_same_everywhere(store: Store, place: Place, files: FileSystemConnector) -> None:
    place.write("sub/a.txt")
    for missing in ("sub/b.txt", "sub/a.txt/b"):
        with pytest.raises(FileMissing, match=missing):
            files.open(missing).read()
    with pytest.raises(FileError):
        files.open("sub").read()
    with pytest.raises(SourceNotFound, match="absent"):
        list(files.list_files("absent", recursive=True))
    if store.has_folders:
        with pytest.raises(SourceUnreadable):
            files.list_files("sub/a.txt", recursive=True)
    for path in UNSAFE:
        with pytest.raises(UnsafePath):
            files.open(path)
    for folder in ("../", "a/../../b"):
        with pytest.raises(UnsafePath):
            list(files.list_files(folder, recursive=True))


def test_use_in_a_child_process_is_refused(place: Place, files: FileSystemConnector) -> None:
    place.write("a")
    operations = (
        files.check,
        lambda: files.list_files(recursive=True),
        lambda: files.open("a"),
        lambda: files.write_file("b", io.BytesIO(b"x")),
        files.close,
    )
    assert_refused_in_a_child(operations)
    assert read(files, "a") == b"x"


def test_a_connector_may_be_closed_twice(place: Place) -> None:
    connector = place.open()
    connector.check()
    connector.close()
    connector.close()
