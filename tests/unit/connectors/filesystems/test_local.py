"""The local folder: names, links, errors, atomic writes."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.connectors.base import SourceEntry
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.errors import (
    DestinationRejected,
    FileError,
    FileMissing,
    SourceError,
    SourceNotFound,
    SourceUnreadable,
    SourceVanished,
    UnsafePath,
)
from docfleet.core.status import SkipReason

ODD_NAMES = [
    b"with space.txt",
    "Größe 東京.txt".encode(),
    b"quo'te\".txt",
    b"new\nline.txt",
    b"latin1-\xe9\xff.txt",
    b"\\xe9 literal.txt",
    b"-rf *.txt",
    b"x" * 250,
    "é".encode() * 125,
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def local(root: Path) -> Iterator[LocalFileSystem]:
    connector = LocalFileSystem({"path": str(root)})
    yield connector
    connector.close()


def paths(entries: Iterator[SourceEntry]) -> list[str]:
    return [entry.path for entry in entries]


@pytest.mark.parametrize("raw", ODD_NAMES)
def test_odd_names_list_open_and_write(raw: bytes, root: Path, local: LocalFileSystem) -> None:
    (root / os.fsdecode(raw)).write_bytes(raw)
    (entry,) = local.list_files(recursive=True)
    assert entry.path.encode("utf-8")
    assert entry.size == len(raw)
    with local.open(entry.path) as content:
        assert content.read() == raw
    local.write_file(f"copy/{entry.path}", io.BytesIO(b"new"))
    assert os.listdir(os.fsencode(root / "copy")) == [raw]


def test_a_path_that_the_system_cannot_read_is_left_out_alone(root: Path, local: LocalFileSystem) -> None:
    """Made from inside, as a program that changes its folder does."""
    name = "d" * 200
    (root / "a.txt").write_text("a")
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(root)
        for _ in range(30):
            os.mkdir(name)
            os.chdir(name)
        Path("deep.txt").write_text("deep")
        skipped: list[tuple[str, str]] = []
        assert paths(local.list_files(recursive=True, on_skip=lambda *entry: skipped.append(entry))) == ["a.txt"]
        assert [reason for _, reason in skipped] == [SkipReason.PATH_TOO_LONG]
    finally:
        os.chdir(before)
        os.close(before)
        subprocess.run(["rm", "-r", str(root)], check=True)


def test_metadata_is_exact(root: Path, local: LocalFileSystem) -> None:
    (root / "a.txt").write_bytes(b"12345")
    os.utime(root / "a.txt", ns=(1_000_000_000, 1_500_000_000))
    (entry,) = local.list_files(recursive=True)
    assert (entry.size, entry.modified_at, entry.provider_file_uuid) == (5, 1.5, None)
    assert entry.fs_metadata["modified_ns"] == 1_500_000_000


def test_links_stay_inside_and_loops_end(tmp_path: Path, root: Path, local: LocalFileSystem) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_text("a")
    (root / "sub" / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "sub")
    (root / "file-link").symlink_to(root / "sub" / "a.txt")
    (root / "escape").symlink_to(outside)
    (root / "escape-file").symlink_to(outside / "secret.txt")
    (root / "relative-escape").symlink_to("../outside/secret.txt")
    (root / "self").symlink_to("self")
    os.mkfifo(root / "pipe")
    skipped: dict[str, str] = {}
    found = paths(local.list_files(recursive=True, on_skip=skipped.__setitem__))
    assert found == ["file-link", "sub/a.txt"]
    out = SkipReason.LINK_OUTSIDE
    assert skipped == {
        "escape": out,
        "escape-file": out,
        "relative-escape": out,
        "self": SkipReason.BROKEN_LINK,
        "pipe": SkipReason.NOT_A_FILE,
        "again": SkipReason.LISTED_ALREADY,
        "sub/loop": SkipReason.LISTED_ALREADY,
    }
    for path in ("escape/secret.txt", "escape-file", "sub/loop/escape-file"):
        with pytest.raises(UnsafePath):
            local.open(path)
    with pytest.raises(UnsafePath):
        local.list_files("escape", recursive=True)
    with local.open("again/a.txt") as content:
        assert content.read() == b"a"


def test_a_linked_folder_outside_the_listed_one_is_listed(root: Path, local: LocalFileSystem) -> None:
    (root / "z").mkdir()
    (root / "z" / "a.txt").write_text("a")
    (root / "in").mkdir()
    (root / "in" / "link").symlink_to(root / "z")
    assert paths(local.list_files("in", recursive=True)) == ["in/link/a.txt"]


def test_a_root_that_is_a_link_works(tmp_path: Path, root: Path) -> None:
    (root / "a.txt").write_text("a")
    (tmp_path / "alias").symlink_to(root)
    alias = LocalFileSystem({"path": str(tmp_path / "alias")})
    assert paths(alias.list_files(recursive=True)) == ["a.txt"]
    with alias.open("a.txt") as content:
        assert content.read() == b"a"


def test_special_files_are_never_opened(root: Path, local: LocalFileSystem) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for path in ("pipe", "socket"):
            with pytest.raises(FileError):
                local.open(path)
    (root / "folder").mkdir()
    with pytest.raises(FileError):
        local.open("folder")


def test_a_missing_or_wrong_root_is_named(tmp_path: Path) -> None:
    missing = LocalFileSystem({"path": str(tmp_path / "nowhere")})
    for attempt in (missing.check, lambda: missing.list_files(recursive=True)):
        with pytest.raises(SourceNotFound, match=str(tmp_path / "nowhere")):
            attempt()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceUnreadable, match="is not a folder"):
        LocalFileSystem({"path": str(tmp_path / "file")}).check()
    with pytest.raises(SourceNotFound):
        LocalFileSystem({"path": str(tmp_path)}).list_files("absent", recursive=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder everybody can reach, with root's rights laid aside while the test runs."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        for closed in folder.rglob("*"):
            closed.chmod(0o755)
        shutil.rmtree(folder)


def test_unreadable_folders_and_files_are_errors(open_folder: Path) -> None:
    local = LocalFileSystem({"path": str(open_folder)})
    (open_folder / "a").write_text("x")
    (open_folder / "a").chmod(0)
    (open_folder / "closed").mkdir()
    (open_folder / "closed").chmod(0)
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a"
    with pytest.raises(SourceUnreadable, match="closed cannot be read: Permission denied"):
        next(listing)
    with pytest.raises(SourceUnreadable, match="Permission denied"):
        local.list_files("closed", recursive=True)
    with pytest.raises(FileError, match="Permission denied"):
        local.open("a")
    with pytest.raises(DestinationRejected, match="Permission denied"):
        local.write_file("closed/b", io.BytesIO(b"x"))
    with pytest.raises(DestinationRejected, match="may write to"):
        LocalFileSystem({"path": "/nowhere/out"}).check(write=True)


def test_a_folder_that_cannot_be_listed_midway_is_an_error(
    root: Path, local: LocalFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.txt").write_text("a")
    (root / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a.txt"
    with pytest.raises(SourceUnreadable, match="closed cannot be read: Permission denied"):
        next(listing)


def test_a_folder_that_vanishes_midway_is_an_error(root: Path, local: LocalFileSystem) -> None:
    for name in ("a", "b", "c"):
        (root / name).write_text("x")
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a"
    shutil.rmtree(root)
    with pytest.raises(SourceVanished, match=str(root)):
        list(listing)


def test_a_folder_replaced_midway_is_an_error(root: Path, local: LocalFileSystem) -> None:
    for name in ("a", "b"):
        (root / name).write_text("x")
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a"
    root.rename(root.with_name("moved"))
    root.mkdir()
    with pytest.raises(SourceVanished):
        list(listing)


def test_a_subfolder_that_vanishes_midway_is_an_error(root: Path, local: LocalFileSystem) -> None:
    (root / "a").write_text("x")
    (root / "sub").mkdir()
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a"
    (root / "sub").rmdir()
    with pytest.raises(SourceError):
        list(listing)


def test_a_file_that_vanishes_is_just_gone(root: Path, local: LocalFileSystem) -> None:
    for name in ("a", "b", "c"):
        (root / name).write_text("x")
    listing = local.list_files(recursive=True)
    assert next(listing).path == "a"
    (root / "b").unlink()
    assert paths(listing) == ["c"]
    with pytest.raises(FileMissing, match="b"):
        local.open("b")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(root: Path, local: LocalFileSystem) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if chunk := super().read(10):
                return chunk
            raise OSError(5, "Input/output error")

    local.write_file("out/a.txt", io.BytesIO(b"old"))
    with pytest.raises(FileError):
        local.write_file("out/a.txt", Broken(b"new content"))
    assert (root / "out" / "a.txt").read_bytes() == b"old"
    assert os.listdir(root / "out") == ["a.txt"]


def test_a_writer_killed_midway_leaves_the_old_file(root: Path, local: LocalFileSystem) -> None:
    class Deadly(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if chunk := super().read(10):
                return chunk
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("unreachable")

    local.write_file("a.txt", io.BytesIO(b"old"))
    pid = os.fork()
    if pid == 0:
        LocalFileSystem({"path": str(root)}).write_file("a.txt", Deadly(b"new content"))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert (root / "a.txt").read_bytes() == b"old"
    assert paths(local.list_files(recursive=True)) == ["a.txt"]


def test_writes_stay_below_the_root(tmp_path: Path, root: Path, local: LocalFileSystem) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep")
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "keep.txt")
    with pytest.raises(UnsafePath):
        local.write_file("link/a.txt", io.BytesIO(b"x"))
    assert local.write_file("file", io.BytesIO(b"replaced the link")) == str(root / "file")
    assert (outside / "keep.txt").read_text() == "keep"
    assert os.listdir(outside) == ["keep.txt"]
    assert not (root / "file").is_symlink()


def test_the_output_folder_is_made_and_unfinished_files_are_not_listed(tmp_path: Path) -> None:
    local = LocalFileSystem({"path": str(tmp_path / "new" / "out")})
    local.check(write=True)
    assert not (tmp_path / "new").exists()
    location = local.write_file("a/b.txt", io.BytesIO(b"x"))
    assert Path(location).read_bytes() == b"x"
    (tmp_path / "new/out/.docfleet-0123456789abcdef.part").write_bytes(b"half")
    assert paths(local.list_files(recursive=True)) == ["a/b.txt"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(DestinationRejected):
        LocalFileSystem({"path": str(tmp_path / "file" / "out")}).check(write=True)
