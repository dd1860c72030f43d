"""SFTP against an OpenSSH server."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.base import FileSystemConnector, WriteFence
from docfleet.connectors.filesystems.sftp.connector import SftpFileSystem
from docfleet.connectors.filesystems.sftp.login import host_key_fingerprints
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    DocfleetError,
    Fenced,
    FileChanging,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    UnsafePath,
)
from docfleet.core.status import SkipReason
from tests.ssh_server import SshServer, running_server


@pytest.fixture
def folder(ssh_server: SshServer, request: pytest.FixtureRequest) -> Path:
    made = ssh_server.folder / str(abs(hash(request.node.name)))
    made.mkdir()
    os.chown(made, made.parent.stat().st_uid, -1)
    return made


@pytest.fixture
def files(ssh_server: SshServer, folder: Path) -> Iterator[SftpFileSystem]:
    connector = SftpFileSystem(ssh_server.settings(user_dir=str(folder)))
    yield connector
    connector.close()


def fenced(attempt: int) -> WriteFence:
    return WriteFence("file-execution", attempt, lambda: None)


def write(files: FileSystemConnector, path: str, content: bytes = b"x", fence: WriteFence | None = None) -> str:
    return files.write_file(path, io.BytesIO(content), fence)


def refusal(settings: Mapping[str, Any], error: type[DocfleetError], *, write: bool = False) -> str:
    with closing(SftpFileSystem(settings)) as files, pytest.raises(error) as caught:
        files.check(write=write)
    return caught.value.message


def test_an_unknown_server_is_refused_with_its_fingerprints(ssh_server: SshServer) -> None:
    message = refusal(ssh_server.settings(host_key=""), SourceUnreadable)
    for fingerprint in ssh_server.fingerprints.values():
        assert fingerprint in message
    assert "'host_key'" in message


@pytest.mark.parametrize("form", ["{fingerprint}", "{key}", "127.0.0.1 {key} a comment", "# note\n\nSHA256:no\n{key}"])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_server_is_known_by_any_of_its_keys(kind: str, form: str, ssh_server: SshServer) -> None:
    known = form.format(fingerprint=ssh_server.fingerprints[kind], key=ssh_server.public_key(kind))
    files = SftpFileSystem(ssh_server.settings(host_key=known))
    files.check()
    files.close()


def test_a_server_with_other_keys_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        before = server.settings()
        server.kill()
        server.change_host_keys()
        server.start()
        message = refusal(before, SourceUnreadable)
        assert str(before["host_key"]) in message
        assert server.fingerprints["ed25519"] in message
        assert "host_key" in refusal(before, DestinationRejected, write=True)


@pytest.mark.parametrize("malformed", ["example.org", "SHA256:", "ssh-ed25519 ~~~~"])
def test_a_malformed_host_key_is_refused(malformed: str) -> None:
    with pytest.raises(ConfigurationError, match="host_key"):
        host_key_fingerprints(malformed)


def test_a_key_lets_in(ssh_server: SshServer) -> None:
    files = SftpFileSystem(ssh_server.settings(password=None, private_key=ssh_server.client_key))
    files.check(write=True)
    files.close()


def test_a_login_that_is_refused_names_the_cause_and_no_secret(
    ssh_server: SshServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    key = other.read_text()
    canary = "canary-7d1f"
    messages = [
        refusal(ssh_server.settings(password=canary), SourceUnreadable),
        refusal(ssh_server.settings(password=None, private_key=key), SourceUnreadable),
        refusal(ssh_server.settings(password=canary), DestinationRejected, write=True),
    ]
    assert all("the password or the key is wrong" in message for message in messages)
    messages.append(refusal(ssh_server.settings(password=None, private_key=f"-----BEGIN {canary}"), ConfigurationError))
    assert "'private_key'" in messages[-1]
    assert not any(canary in message for message in messages)
    with pytest.raises(ConfigurationError, match="'password' or 'private_key'"):
        SftpFileSystem(ssh_server.settings(password=""))
    assert canary not in caplog.text
    assert key.splitlines()[2] not in caplog.text


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server, closing(SftpFileSystem(server.settings())) as files:
        write(files, "a", b"x" * 5_000_000)
        with files.open("a") as reading:
            assert reading.read(10) == b"x" * 10
            server.kill()
            with pytest.raises(SourceUnavailable, match="to its end"):
                reading.read()
        with pytest.raises(DestinationUnavailable):
            write(files, "b")
        with pytest.raises(SourceUnavailable):
            files.open("a")
        with pytest.raises(SourceUnreadable):
            files.list_files(recursive=True)
        server.start()
        assert write(files, "b").endswith("/b")


def test_a_file_that_vanished_or_changed(files: SftpFileSystem, folder: Path) -> None:
    write(files, "a", b"x" * 3_000_000)
    write(files, "b", b"x")
    listed = [entry.path for entry in files.list_files(recursive=True)]
    (folder / "b").unlink()
    with pytest.raises(FileMissing):
        files.open(listed[1])
    with pytest.raises(FileMissing):
        files.state(listed[1])
    with files.open("a") as content:
        content.read(10)
        with (folder / "a").open("ab") as more:
            more.write(b"more")
        with pytest.raises(FileChanging):
            content.read()


def test_links_stay_inside(files: SftpFileSystem, folder: Path, tmp_path: Path) -> None:
    secret = folder.parent / f"{folder.name}-outside"
    secret.mkdir(mode=0o777)
    (secret / "s.txt").write_text("secret")
    (folder / "sub").mkdir(mode=0o777)
    (folder / "sub" / "a.txt").write_text("a")
    (folder / "out").symlink_to(secret)
    (folder / "out.txt").symlink_to(secret / "s.txt")
    (folder / "in").symlink_to(folder / "sub")
    (folder / "loop").symlink_to(folder)
    (folder / "nothing").symlink_to(folder / "absent")
    skipped: dict[str, SkipReason] = {}
    listed = [e.path for e in files.list_files(recursive=True, on_skip=lambda p, r: skipped.update({p: r}))]
    assert listed == ["sub/a.txt"]
    assert skipped == {
        "out": SkipReason.LINK_OUTSIDE,
        "out.txt": SkipReason.LINK_OUTSIDE,
        "nothing": SkipReason.BROKEN_LINK,
        "in": SkipReason.LISTED_ALREADY,
        "loop": SkipReason.LISTED_ALREADY,
    }
    for path in ("out.txt", "out/s.txt"):
        with pytest.raises(UnsafePath):
            files.open(path)
    with pytest.raises(UnsafePath):
        write(files, "out/new.txt")
    write(files, "out.txt", b"mine")
    assert (secret / "s.txt").read_text() == "secret"
    with pytest.raises(UnsafePath):
        files.open("sub/../../x")


def test_names_that_are_no_text(files: SftpFileSystem, folder: Path) -> None:
    name = b"caf\xe9 \xff.txt"
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(b"content")
    (entry,) = files.list_files(recursive=True)
    assert entry.path == "caf\\xe9 \\xff.txt"
    with files.open(entry.path) as content:
        assert content.read() == b"content"


def test_an_attempt_that_wakes_up_late_writes_nothing(files: SftpFileSystem, folder: Path) -> None:
    class Late(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if not self.tell():
                write(files, "a", b"second", fenced(2))
            return super().read(size)

    with pytest.raises(Fenced):
        files.write_file("a", Late(b"first"), fenced(1))
    assert (folder / "a").read_bytes() == b"second"
    assert os.listdir(folder) == ["a"]

    def lost() -> None:
        raise Fenced

    with pytest.raises(Fenced):
        write(files, "a", b"third", WriteFence("file-execution", 3, lost))
    assert (folder / "a").read_bytes() == b"second"
    assert os.listdir(folder) == ["a"]


def test_only_what_is_still_ours_is_withdrawn(files: SftpFileSystem, folder: Path) -> None:
    location = write(files, "s/a", b"x", fenced(1))
    assert files.path_of(location) == "s/a"
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    (folder / "s" / "a").write_bytes(b"theirs")
    assert not files.withdraw_file("s/a", digest, fenced(2))
    write(files, "s/a", b"x", fenced(2))
    assert files.withdraw_file("s/a", digest, fenced(2))
    assert not files.withdraw_file("s/a", digest, fenced(2))
    assert not files.withdraw_file("no/a", digest, fenced(2))
    with pytest.raises(FileMissing):
        files.path_of("sftp://elsewhere:22/a")


def test_abandoned_parts_go(files: SftpFileSystem, folder: Path) -> None:
    for name, age in (("old", 4000), ("new", 10)):
        part = folder / f".docfleet-{name}.part"
        part.write_bytes(b"")
        os.utime(part, (time.time() - age,) * 2)
    write(files, "a")
    assert sorted(os.listdir(folder)) == [".docfleet-new.part", "a"]
    assert [entry.path for entry in files.list_files(recursive=True)] == ["a"]


def test_folders_and_rights(files: SftpFileSystem, folder: Path, ssh_server: SshServer) -> None:
    (folder / "closed").mkdir(mode=0o700)  # root's
    with pytest.raises(SourceUnreadable, match="permission"):
        list(files.list_files("closed", recursive=True))
    with pytest.raises(SourceUnreadable):
        list(files.list_files(recursive=True))
    with pytest.raises(DestinationRejected, match="permission"):
        write(files, "closed/a")
    absent = SftpFileSystem(ssh_server.settings(user_dir=f"{folder}/new/er"))
    with pytest.raises(SourceNotFound):
        absent.check()
    absent.check(write=True)
    absent.check()
    absent.close()
    relative = SftpFileSystem(ssh_server.settings(user_dir=folder.name))
    assert write(relative, "r").startswith("sftp://127.0.0.1")
    assert (folder / "r").exists()
    relative.close()


def test_a_server_that_cannot_replace_creates(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "server", deny="posix-rename,fsync") as server,
        closing(SftpFileSystem(server.settings())) as files,
    ):
        write(files, "a", b"one", fenced(1))
        write(files, "a", b"one", fenced(2))
        with pytest.raises(DestinationRejected, match="another content"):
            write(files, "a", b"two", fenced(3))
        assert (server.folder / "a").read_bytes() == b"one"
        assert os.listdir(server.folder) == ["a"]


def test_a_missing_library_names_the_extra(ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("docfleet.connectors.filesystems.sftp.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ConfigurationError, match=r"docfleet-connectors\[sftp\]"):
        SftpFileSystem(ssh_server.settings()).check()
