"""What every storage does. S3 is a server of moto, whose bucket boto3 reads, too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from docfleet.core import object_library
from docfleet.core.errors import ConfigurationError, ForkUnsafe, StorageUnavailable, UnsafePath
from docfleet.core.storages import objects
from docfleet.core.storages.base import Storage
from docfleet.core.storages.folder import FolderStorage
from docfleet.core.storages.memory import MemoryStorage
from docfleet.core.storages.opening import open_storage
from tests.object_stores import KEY, SECRET, PortServer, moto_server, s3_client
from tests.servers import free_port


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


def _chain(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The platform's chain of credentials."""
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3: PortServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, Any]:
    _chain(monkeypatch, s3.url)
    client = s3_client(s3.url)
    name = f"b-{tmp_path.name.strip('_').replace('_', '-').replace('[', '').replace(']', '').lower()[:40]}"
    client.create_bucket(Bucket=name)
    return name, client


@pytest.fixture(params=["folder", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage((tmp_path / "root").as_uri())
    if request.param == "memory":
        return MemoryStorage()
    name, _ = request.getfixturevalue("bucket")
    return open_storage(f"s3://{name}/prefix", allow_http=True)


def content(storage: Storage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


def keys(storage: Storage, folder: str = "") -> set[str]:
    return {entry.key for entry in storage.list(folder)}


@pytest.mark.parametrize("flush", [False, True])
def test_an_object_is_written_read_and_replaced(storage: Storage, flush: bool) -> None:
    storage.put("a/b.json", b"1", flush=flush)
    storage.put("a/b.json", b"two", flush=flush)
    storage.put("a/empty", b"", flush=flush)
    assert (content(storage, "a/b.json"), content(storage, "a/empty")) == (b"two", b"")
    assert {(entry.key, entry.size) for entry in storage.list()} == {("a/b.json", 3), ("a/empty", 0)}


def test_the_first_content_stays_when_it_has_to_be_absent(storage: Storage) -> None:
    assert storage.put_if_absent("mark", b"first")
    assert not storage.put_if_absent("mark", b"second", flush=True)
    assert content(storage, "mark") == b"first"
    assert keys(storage) == {"mark"}


def test_one_of_racing_writers_wins(storage: Storage) -> None:
    barrier = threading.Barrier(6)

    def write(number: int) -> bool:
        barrier.wait()
        return storage.put_if_absent("race/mark", str(number).encode())

    with ThreadPoolExecutor(6) as pool:
        won = [number for number, is_first in enumerate(pool.map(write, range(6))) if is_first]
    assert [str(number).encode() for number in won] == [content(storage, "race/mark")]


def test_a_listing_has_what_is_below_the_folder(storage: Storage) -> None:
    for key in ("x/1", "x/y/2", "xy/3", ".steps/4"):
        storage.put(key, b"-")
    assert keys(storage, "x") == {"x/1", "x/y/2"}
    assert keys(storage) == {"x/1", "x/y/2", "xy/3", ".steps/4"}
    assert keys(storage, "none") == set()


def test_deleted_objects_are_gone_and_a_repeat_is_harmless(storage: Storage) -> None:
    for key in ("d/1", "d/2", "d/3"):
        storage.put(key, b"-")
    storage.delete("d/1", "d/2", "d/never")
    storage.delete("d/1")
    storage.delete()
    assert keys(storage) == {"d/3"}
    with pytest.raises(FileNotFoundError):
        storage.open("d/1")


def test_a_large_file_goes_to_the_storage_and_back(storage: Storage, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(11 << 20))
    for _ in range(2):
        storage.upload(sent, "big/one", flush=True)
        storage.download("big/one", got)
    assert got.read_bytes() == sent.read_bytes() == content(storage, "big/one")
    assert keys(storage) == {"big/one"}
    sent.unlink()
    storage.delete("big/one")
    assert {path.name for path in tmp_path.iterdir()} - {"root"} == {"got"}


def test_what_is_absent_leaves_no_file(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.download("none", tmp_path / "got")
    with pytest.raises(FileNotFoundError):
        storage.upload(tmp_path / "none", "key")
    assert not (tmp_path / "got").exists()
    assert keys(storage) == set()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_no_regular_file_is_refused(storage: Storage, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(UnsafePath):
        storage.upload(path, "key")
    assert keys(storage) == set()


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "a/../b", "..", "a\0", "a\n", ".draft-1", "a b", "x/" * 460])
def test_no_key_leaves_the_storage(storage: Storage, tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_bytes(b"-")
    for call in (
        lambda: storage.put(key, b""),
        lambda: storage.put_if_absent(key, b""),
        lambda: storage.open(key),
        lambda: storage.delete(key),
        lambda: storage.upload(tmp_path / "file", key),
        lambda: storage.download(key, tmp_path / "got"),
        lambda: storage.list(key or ".."),
    ):
        with pytest.raises(UnsafePath):
            call()


def test_a_reader_sees_the_content_it_began_with(storage: Storage) -> None:
    storage.put("doc", b"old")
    with storage.open("doc") as stream:
        storage.put("doc", b"new!")
        assert stream.read() == b"old"


def test_an_upload_to_a_folder_costs_no_space_and_no_copy(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(b"-")
    storage = FolderStorage(tmp_path / "root")
    storage.upload(sent, "a/b")
    storage.download("a/b", tmp_path / "got")
    assert sent.stat().st_nlink == 3


def test_a_storage_without_hard_links_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    sent = tmp_path / "sent"
    sent.write_bytes(b"content")
    storage = FolderStorage(tmp_path / "root")
    monkeypatch.setattr(os, "link", refuse)
    storage.upload(sent, "a/b")
    storage.download("a/b", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"content"
    assert sent.stat().st_nlink == 1


def test_empty_folders_go_and_come_back_under_writers(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "root")

    def work(number: int) -> None:
        for _ in range(100):
            storage.put(f"o/w/e/{number}", b"-")
            storage.delete(f"o/w/e/{number}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert list((tmp_path / "root").iterdir()) == []


def test_a_folder_that_is_removed_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, raced = Path.mkdir, []

    def race(self: Path, *args: Any, **options: Any) -> None:
        if not raced:
            raced.append(self)  # it was there for mkdir(2), and is gone for the look at its kind
            raise FileExistsError(17, "File exists")
        mkdir(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", race)
    storage = FolderStorage(tmp_path / "root")
    storage.put("a/b", b"-")
    assert raced and keys(storage) == {"a/b"}


def test_boto3_reads_and_writes_the_same_objects(bucket: tuple[str, Any], tmp_path: Path) -> None:
    name, client = bucket
    storage = open_storage(f"s3://{name}/prefix/", allow_http=True)
    storage.put("a/b", b"ours")
    client.put_object(Bucket=name, Key="prefix/c", Body=b"theirs")
    client.put_object(Bucket=name, Key="elsewhere", Body=b"-")
    assert client.get_object(Bucket=name, Key="prefix/a/b")["Body"].read() == b"ours"
    assert content(storage, "c") == b"theirs"
    assert keys(storage) == {"a/b", "c"}


def test_errors_name_cause_and_remedy_without_a_secret(
    bucket: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absent = open_storage("s3://there-is-none", allow_http=True)
    for call in (lambda: absent.open("a"), lambda: absent.put("a", b""), lambda: list(absent.list())):
        with pytest.raises(ConfigurationError, match="no such bucket") as caught:
            call()
        assert SECRET not in str(caught.value) and KEY not in str(caught.value)
    monkeypatch.setattr(objects, "RETRIES", {"max_retries": 0})
    _chain(monkeypatch, f"http://127.0.0.1:{free_port()}")
    silent = open_storage("s3://bucket", allow_http=True)
    for call in (lambda: silent.open("a"), lambda: silent.put("a", b""), lambda: list(silent.list())):
        with pytest.raises(StorageUnavailable, match="does not answer") as caught:
            call()
        assert SECRET not in str(caught.value) and KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "kind", "remedy"),
    [
        (400, "ExpiredToken", ConfigurationError, "renew it"),
        (403, "RequestTimeTooSkewed", ConfigurationError, "NTP"),
        (403, "InvalidAccessKeyId", ConfigurationError, "credentials"),
        (403, "AccessDenied", ConfigurationError, "permission"),
        (503, "SlowDown", StorageUnavailable, "does not answer"),
    ],
)
def test_an_answer_says_whether_a_repeat_can_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, code: str, kind: type[Exception], remedy: str
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>{SECRET} {KEY}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    monkeypatch.setattr(objects, "RETRIES", {"max_retries": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _chain(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        refused = open_storage("s3://bucket", allow_http=True)
        for call in (lambda: refused.open("a"), lambda: refused.put("a", b""), lambda: list(refused.list())):
            with pytest.raises(kind, match=remedy) as caught:
                call()
            assert SECRET not in str(caught.value) and KEY not in str(caught.value)
        with pytest.raises(kind):
            refused.download("a", tmp_path / "got")
        server.shutdown()
    assert not (tmp_path / "got").exists()


def test_a_storage_of_the_parent_is_refused_in_a_child(
    bucket: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_library, "_threads_of", os.getpid() + 1)
    with pytest.raises(ForkUnsafe):
        open_storage(f"s3://{bucket[0]}", allow_http=True).put("a", b"")


@pytest.mark.parametrize(
    "url",
    ["", "/data", "file://host/data", "file:data", "ftp://h/x", "s3://", "s3://k:canary-1@b/x", "s3://b?sig=canary-1"],
)
def test_a_url_that_names_no_storage_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="EXECUTION_STORAGE_URL") as caught:
        open_storage(url)
    assert "canary" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"a file")
    with pytest.raises(StorageUnavailable, match="check the folder"):
        open_storage((tmp_path / "root").as_uri()).put("a", b"")
