"""rclone against servers of its own."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.base import WriteFence
from docfleet.connectors.filesystems.rclone.backends import BACKENDS
from docfleet.connectors.filesystems.rclone.connector import (
    DriveFileSystem,
    DropboxFileSystem,
    FtpFileSystem,
    OnedriveFileSystem,
    RcloneFileSystem,
    SmbFileSystem,
    WebdavFileSystem,
)
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    Fenced,
    FileChanging,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    UnsafePath,
)
from docfleet.core.status import SkipReason
from tests.contract.connectors.child_process import assert_refused_in_a_child
from tests.rclone_server import RcloneServer, running_rclone
from tests.waiting import until

CLASSES: dict[str, type[RcloneFileSystem]] = {"webdav": WebdavFileSystem, "ftp": FtpFileSystem}


both = pytest.mark.parametrize("server", ["webdav", "ftp"], indirect=True, scope="module")
"""A request is a process of a third of a second: only what differs by server is tested with both."""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    kind = getattr(request, "param", "webdav")
    with running_rclone(kind, tmp_path_factory.mktemp(kind) / "server") as made:
        yield made


@pytest.fixture
def folder(server: RcloneServer, request: pytest.FixtureRequest) -> Path:
    made = server.folder / str(abs(hash(request.node.name)))
    made.mkdir()
    return made


@pytest.fixture
def files(server: RcloneServer, folder: Path) -> Iterator[RcloneFileSystem]:
    with closing(CLASSES[server.kind](server.settings(path=folder.name))) as connector:
        yield connector


def write(files: RcloneFileSystem, path: str, content: bytes = b"x", attempt: int = 0) -> str:
    fence = WriteFence("file-execution", attempt, lambda: None) if attempt else None
    return files.write_file(path, io.BytesIO(content), fence)


def read(files: RcloneFileSystem, path: str) -> bytes:
    with files.open(path) as content:
        return content.read()


@both
def test_what_is_written_is_listed_and_read(files: RcloneFileSystem, folder: Path) -> None:
    files.check()
    files.check(write=True)
    assert os.listdir(folder) == []
    path = "sub/deep/quo\"te'.txt"
    assert files.path_of(write(files, path, path.encode())) == path
    for path in ("b.txt", "a b.txt", "sub/Größe.txt"):
        (folder / path).write_text(path)
    (folder / ".docfleet-0.part").touch()
    skipped: list[tuple[str, str]] = []
    listed = {entry.path: entry for entry in files.list_files("/", recursive=True)}
    assert list(listed) == ["a b.txt", "b.txt", "sub/Größe.txt", "sub/deep/quo\"te'.txt"]
    for path in ("sub/Größe.txt",):
        assert read(files, path) == path.encode()
        state = files.state(path)
        assert (state.size, state.modified_at) == (listed[path].size, listed[path].modified_at)
    shallow = files.list_files(recursive=True, max_depth=2, on_skip=lambda *skip: skipped.append(skip))
    assert len(list(shallow)) == 3
    assert skipped == [("sub/deep", SkipReason.TOO_DEEP)]
    pruned = files.list_files("sub", recursive=True, ignore=lambda name: name == "deep")
    assert [entry.path for entry in pruned] == ["sub/Größe.txt"]


def test_errors(files: RcloneFileSystem, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "a").write_text("a")
    with pytest.raises(FileMissing):
        files.open("no/b")
    with pytest.raises(FileError):
        files.open("sub")
    with pytest.raises(SourceNotFound):
        files.list_files("absent", recursive=True)
    with pytest.raises(SourceUnreadable):
        list(files.list_files("a", recursive=True))
    with pytest.raises(DestinationRejected):
        write(files, "sub")
    for path in ("../a", "/a", "a/../../b"):
        with pytest.raises(UnsafePath):
            files.open(path)
        with pytest.raises(UnsafePath):
            write(files, path)
    with pytest.raises(UnsafePath):
        write(files, "caf\\xe9.txt")


def test_a_repeat_changes_nothing_and_another_content_replaces(files: RcloneFileSystem, folder: Path) -> None:
    (folder / "a").write_bytes(b"one")
    before = (folder / "a").stat()
    write(files, "a", b"one", 2)
    assert ((folder / "a").stat().st_ino, (folder / "a").stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write(files, "a", b"two", 2)
    assert (folder / "a").read_bytes() == b"two"
    assert os.listdir(folder) == ["a"]


def test_an_attempt_that_wakes_up_late_writes_nothing(files: RcloneFileSystem, folder: Path) -> None:
    def taken_over() -> None:
        write(files, "a", b"second", 2)

    with pytest.raises(Fenced):
        files.write_file("a", io.BytesIO(b"first"), WriteFence("file-execution", 1, taken_over))
    assert (folder / "a").read_bytes() == b"second"
    assert os.listdir(folder) == ["a"]

    def lost() -> None:
        raise Fenced

    with pytest.raises(Fenced):
        files.write_file("a", io.BytesIO(b"third"), WriteFence("file-execution", 3, lost))
    assert (folder / "a").read_bytes() == b"second"


def test_only_what_is_still_ours_is_withdrawn(files: RcloneFileSystem, folder: Path) -> None:
    fence = WriteFence("file-execution", 2, lambda: None)
    (folder / "a").write_bytes(b"x")
    assert not files.withdraw_file("a", hashlib.sha256(b"y").hexdigest(), fence)
    assert files.withdraw_file("a", hashlib.sha256(b"x").hexdigest(), fence)
    assert not files.withdraw_file("a", hashlib.sha256(b"x").hexdigest(), fence)
    assert os.listdir(folder) == []


def test_a_file_that_changes_while_it_is_read(files: RcloneFileSystem, folder: Path) -> None:
    (folder / "a").write_bytes(b"x" * 4_000_000)
    with files.open("a") as content:
        content.read(10)
        (folder / "a").write_bytes(b"y" * 4_000_001)
        with pytest.raises((FileChanging, SourceUnavailable)):
            content.read()


@both
def test_a_wrong_login_names_the_cause_and_no_secret(server: RcloneServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(CLASSES[server.kind](server.settings(password="canary-7d1f"))) as files:
        with pytest.raises(SourceUnreadable) as unreadable:
            files.check()
        with pytest.raises(DestinationRejected) as rejected:
            write(files, "a")
    assert "canary" not in unreadable.value.message + rejected.value.message + caplog.text
    with (
        closing(CLASSES[server.kind](server.settings(password="a\nb"))) as files,
        pytest.raises(ConfigurationError, match="line break"),
    ):
        files.check()


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with (
        running_rclone("webdav", tmp_path / "server") as server,
        closing(WebdavFileSystem(server.settings())) as files,
    ):
        (server.folder / "a").write_bytes(b"x" * 50_000_000)
        with files.open("a") as content:
            content.read(10)
            server.kill()
            with pytest.raises(SourceUnavailable):
                content.read()
        with pytest.raises(DestinationUnavailable):
            write(files, "b")
        with pytest.raises(SourceUnavailable):
            files.open("a")
        with pytest.raises(SourceUnreadable):
            files.list_files(recursive=True)


def test_nothing_secret_is_on_a_command_line_and_the_child_dies_with_its_worker(tmp_path: Path) -> None:
    with running_rclone("webdav", tmp_path / "server") as server:
        (server.folder / "a").write_bytes(b"x" * 50_000_000)
        program = textwrap.dedent(
            f"""
            import sys
            from docfleet.connectors.filesystems.rclone.connector import WebdavFileSystem
            files = WebdavFileSystem({server.settings()!r})
            content = files.open("a")
            print(content.raw._child.pid, flush=True)
            sys.stdin.readline()
            content.read()
            """
        )
        worker = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert worker.stdout is not None
        with worker, worker.stdout:
            child = int(worker.stdout.readline())
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            assert b"cat" in line
            assert server.password.encode() not in line
            # It waits for the server: one that writes would end by its broken pipe in any case.
            server.pause()
            assert worker.stdin is not None
            worker.stdin.write(b"\n")
            worker.stdin.flush()
            time.sleep(1)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        until(lambda: not _runs(child), 10, what="rclone survived its worker")
        server.resume()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_use_in_a_child_process_is_refused(files: RcloneFileSystem) -> None:
    operations = (files.check, lambda: files.open("a"), lambda: write(files, "b"), files.close)
    assert_refused_in_a_child(operations)


def test_what_was_not_run_says_so() -> None:
    assert {kind for kind, backend in BACKENDS.items() if backend.info.tested} == {"webdav", "ftp"}
    for kind, backend in BACKENDS.items():
        assert all(
            backend.info.json_schema["properties"][name]["format"] == "password" for name in backend.info.secrets
        )
        assert backend.info.secrets, kind


@pytest.mark.parametrize(
    ("connector", "settings"),
    [
        (SmbFileSystem, {"host": "h", "user": "u", "share": "s", "path": "in", "password": "p"}),
        (DriveFileSystem, {"access_token": "t", "refresh_token": "r", "token_expiry": "2030-01-01T00:00:00Z"}),
        (DropboxFileSystem, {"token": "t"}),
        (OnedriveFileSystem, {"drive_id": "d", "access_token": "t", "site_url": "https://s"}),
    ],
)
def test_rclone_takes_the_settings_of_the_drives(connector: type[RcloneFileSystem], settings: dict[str, Any]) -> None:
    with closing(connector(settings)) as files:
        shown = subprocess.run(
            [files._rclone._program, "config", "show", "--config=", "remote"],
            env=files._rclone._environment | {"RCLONE_CONFIG": ""},
            capture_output=True,
            text=True,
        )
    assert f"type = {connector.backend.kind}" in shown.stdout or shown.returncode == 0


def test_settings_of_drives_that_lack_a_login() -> None:
    for connector, settings in (
        (DriveFileSystem, {}),
        (OnedriveFileSystem, {"drive_id": "d"}),
        (OnedriveFileSystem, {"drive_id": "d", "auth_type": "client_credentials", "client_id": "c"}),
    ):
        with pytest.raises(ConfigurationError, match="connector"):
            connector(settings)


def test_a_missing_program_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with closing(DropboxFileSystem({"token": "t"})) as files, pytest.raises(ConfigurationError, match=r"\[rclone\]"):
        files.check()


def test_an_abandoned_part_goes(files: RcloneFileSystem, folder: Path) -> None:
    part = folder / ".docfleet-old.part"
    part.touch()
    os.utime(part, (time.time() - 4000,) * 2)
    write(files, "a")
    assert os.listdir(folder) == ["a"]
