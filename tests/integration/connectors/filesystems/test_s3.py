"""The connector of S3 against a server; boto3 reads what it wrote, and writes what it reads."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from docfleet.connectors.base import SourceEntry, WriteFence
from docfleet.connectors.filesystems.objects import s3, store
from docfleet.connectors.filesystems.objects.s3 import S3FileSystem
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    DocfleetError,
    Fenced,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    UnsafePath,
)
from docfleet.core.status import SkipReason
from tests.object_stores import KEY, SECRET, PortServer, moto_server, s3_client, s3_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with moto_server(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="module")
def boto(server: PortServer) -> Any:
    return s3_client(server.url)


@pytest.fixture
def bucket(boto: Any, request: pytest.FixtureRequest) -> str:
    name = f"bucket-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"
    boto.create_bucket(Bucket=name)
    return name


@pytest.fixture
def files(server: PortServer, bucket: str) -> Iterator[S3FileSystem]:
    connector = S3FileSystem(s3_settings(server.url, bucket=bucket))
    yield connector
    connector.close()


def listed(files: S3FileSystem, folder: str = "", **options: Any) -> list[SourceEntry]:
    return list(files.list_files(folder, **({"recursive": True} | options)))


def paths(files: S3FileSystem, folder: str = "", **options: Any) -> list[str]:
    return [entry.path for entry in listed(files, folder, **options)]


def read(files: S3FileSystem, path: str) -> bytes:
    with files.open(path) as content:
        return content.read()


def content_of(boto: Any, bucket: str, key: str) -> bytes:
    return bytes(boto.get_object(Bucket=bucket, Key=key)["Body"].read())


def put(boto: Any, bucket: str, *keys: str) -> None:
    for key in keys:
        boto.put_object(Bucket=bucket, Key=key, Body=key.encode())


def fence(attempt: int = 1, require: Callable[[], None] = lambda: None) -> WriteFence:
    return WriteFence("file-1", attempt, require)


def test_what_one_wrote_the_other_reads(files: S3FileSystem, boto: Any, bucket: str) -> None:
    large = bytes(range(256)) * (store.SINGLE_PUT_BYTES // 256 + 4000)
    assert files.write_file("out/a.json", io.BytesIO(b"{}")) == f"s3://{bucket}/out/a.json"
    location = files.write_file("out/large", io.BytesIO(large))
    assert files.path_of(location) == "out/large"
    assert content_of(boto, bucket, "out/a.json") == b"{}"
    assert content_of(boto, bucket, "out/large") == large

    boto.put_object(Bucket=bucket, Key="in/b.txt", Body=b"of boto")
    parts = [boto.create_multipart_upload(Bucket=bucket, Key="in/parts")["UploadId"]]
    tags = [
        boto.upload_part(Bucket=bucket, Key="in/parts", UploadId=parts[0], PartNumber=number, Body=large[: 5 << 20])
        for number in (1, 2)
    ]
    boto.complete_multipart_upload(
        Bucket=bucket,
        Key="in/parts",
        UploadId=parts[0],
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tag["ETag"]} for n, tag in enumerate(tags, 1)]},
    )
    assert read(files, "in/b.txt") == b"of boto"
    assert read(files, "in/parts") == large[: 5 << 20] * 2
    tagged = {entry.path: entry.provider_file_uuid for entry in listed(files)}
    assert set(tagged) == {"in/b.txt", "in/parts", "out/a.json", "out/large"}
    for path, tag in tagged.items():
        assert tag == boto.head_object(Bucket=bucket, Key=path)["ETag"].strip('"')
    boto.put_object(Bucket=bucket, Key="in/b.txt", Body=b"of Boto")
    assert {entry.path for entry in listed(files) if entry.provider_file_uuid != tagged[entry.path]} == {"in/b.txt"}


def test_depth_folders_and_ignored_names(files: S3FileSystem, boto: Any, bucket: str) -> None:
    put(boto, bucket, "a", "s.pdf", "s/b", "s/t/c", "s/t/u/d", "s/no/e", "z", ".docfleet-0123456789abcdef-1.part")
    skipped: list[tuple[str, str]] = []
    note = lambda *entry: skipped.append(entry)  # noqa: E731
    assert paths(files, recursive=False, on_skip=note) == ["a", "s.pdf", "z"]
    assert skipped == []
    found = paths(files, "/s/", max_depth=2, on_skip=note, ignore=lambda name: name == "no")
    assert found == ["s/b", "s/t/c"]
    assert skipped == [("s/no", SkipReason.NO_DOCUMENT), ("s/t/u", SkipReason.TOO_DEEP)]


def test_a_folder_of_many_keys_that_is_left_out_is_passed_over(
    files: S3FileSystem, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[list[str]] = []
    keys = [f"deep/{number:03}" for number in range(60)] + ["deep0", "z"]

    class Library:
        def list(self, _store: Any, _prefix: Any, offset: str | None, chunk_size: int) -> Iterator[list[Any]]:
            behind = [key for key in keys if offset is None or key > offset]
            for start in range(0, len(behind), 10):
                pages.append(behind[start : start + 10])
                yield [
                    {"path": key, "size": 1, "last_modified": store_time, "e_tag": '"t"', "version": None}
                    for key in pages[-1]
                ]

    from datetime import UTC, datetime

    store_time = datetime.now(UTC)
    monkeypatch.setattr("docfleet.connectors.filesystems.objects.listing.PAGE_KEYS", 20)
    monkeypatch.setattr(store, "_library", Library)
    assert paths(files, recursive=False) == ["deep0", "z"]
    assert len(pages) == 4  # of seven


def test_markers_of_folders_are_no_files(files: S3FileSystem, boto: Any, bucket: str) -> None:
    for key in ("in/", "in/sub/", "twice", "twice/"):
        boto.put_object(Bucket=bucket, Key=key, Body=b"")
    put(boto, bucket, "in/sub/a")
    assert paths(files) == ["in/sub/a", "twice"]
    assert paths(files, "in") == ["in/sub/a"]
    boto.delete_object(Bucket=bucket, Key="in/sub/a")
    assert paths(files, "in/sub") == []


NAMES = ["a b", "Größe", "e\u0301", "100%", "a%20b", "q?u#e&s+t", "back\\slash", "\\xe9", "CASE", "case", "q'\"<>*|"]


def test_odd_names_are_those_of_boto(files: S3FileSystem, boto: Any, bucket: str) -> None:
    deep = "d/" * 511 + "e"
    put(boto, bucket, *NAMES, deep)
    by_path = {entry.path: read(files, entry.path).decode() for entry in listed(files)}
    assert sorted(by_path.values()) == sorted([*NAMES, deep])
    assert len(by_path) == len(NAMES) + 1
    for path, key in by_path.items():
        files.write_file(path, io.BytesIO(b"written"))
        assert content_of(boto, bucket, key) == b"written"
    assert len(boto.list_objects_v2(Bucket=bucket)["Contents"]) == len(by_path)


def test_a_name_longer_than_a_file_name_is_left_out(files: S3FileSystem, boto: Any, bucket: str) -> None:
    put(boto, bucket, "k" * 1024, "z")
    skipped: list[tuple[str, str]] = []
    assert paths(files, on_skip=lambda *entry: skipped.append(entry)) == ["z"]
    assert skipped == [("k" * 1024, SkipReason.PATH_TOO_LONG)]


@pytest.mark.parametrize("key", ["a//b", "a/../../b", "./a", "tab\ta", "esc\x1b[2J"])
def test_a_key_that_is_no_path_fails_the_listing(key: str, files: S3FileSystem, boto: Any, bucket: str) -> None:
    put(boto, bucket, "in/good", key)
    with pytest.raises(SourceUnreadable, match="is no path; rename"):
        paths(files)
    assert paths(files, "in") == ["in/good"]


def test_no_key_is_read_under_the_name_of_another(files: S3FileSystem, boto: Any, bucket: str) -> None:
    put(boto, bucket, "/lead", "trail/")
    for path in ("lead", "trail"):
        with pytest.raises(FileMissing):
            files.open(path)
    for path in ("../a", "/a", "a/../../b", "a\0", "a\nb", "\\xe9/\\xff"):
        with pytest.raises(UnsafePath):
            files.open(path)
        with pytest.raises(UnsafePath):
            files.write_file(path, io.BytesIO(b"x"))
    with pytest.raises(DestinationRejected):
        files.write_file("/".join(["k" * 200] * 6), io.BytesIO(b"x"))


def test_absent_things(files: S3FileSystem, server: PortServer, boto: Any, bucket: str) -> None:
    put(boto, bucket, "sub/a")
    with pytest.raises(FileMissing):
        files.open("sub/b")
    with pytest.raises(FileMissing):
        files.state("sub/b")
    with pytest.raises(SourceNotFound, match="no key begins with it"):
        files.list_files("absent", recursive=True)
    with pytest.raises(SourceUnreadable, match="not a folder"):
        files.list_files("sub/a", recursive=True)
    assert files.state("sub/a").size == len("sub/a")
    files.check()
    files.check(write=True)
    other = S3FileSystem(s3_settings(server.url, bucket="absent-bucket"))
    with pytest.raises(SourceNotFound, match="no such bucket"):
        other.check()
    with pytest.raises(DestinationRejected, match="no such bucket"):
        other.check(write=True)
    with pytest.raises(SourceNotFound, match="no such bucket"):
        other.open("a")
    with pytest.raises(DestinationRejected, match="no such bucket"):
        other.write_file("a", io.BytesIO(b"x"))
    with pytest.raises(FileMissing):
        files.path_of("s3://another/sub/a")


def test_without_a_bucket_the_first_name_is_the_bucket(server: PortServer, boto: Any, bucket: str) -> None:
    put(boto, bucket, "in/a")
    files = S3FileSystem(s3_settings(server.url))
    files.check()
    assert paths(files, f"/{bucket}/in") == [f"{bucket}/in/a"]
    assert read(files, f"{bucket}/in/a") == b"in/a"
    location = files.write_file(f"{bucket}/out/b", io.BytesIO(b"x"))
    assert files.path_of(location) == f"{bucket}/out/b"
    with pytest.raises(SourceUnreadable, match="set the field bucket"):
        files.list_files("", recursive=True)
    folder = S3FileSystem(s3_settings(server.url, bucket=f"{bucket}/in"))
    assert paths(folder) == ["a"]
    assert folder.path_of(folder.write_file("c", io.BytesIO(b"x"))) == "c"


class Counted:
    """The library, with its writes counted and something done before the first one."""

    def __init__(self, before_put: Callable[[], None] = lambda: None, before_copy: Callable[[], None] = lambda: None):
        import obstore

        self._library = obstore
        self._before_put, self._before_copy = before_put, before_copy
        self.puts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def put(self, *args: Any, **options: Any) -> Any:
        self.puts += 1
        if self.puts == 1:
            self._before_put()
        return self._library.put(*args, **options)

    def copy(self, *args: Any) -> Any:
        self._before_copy()
        return self._library.copy(*args)


def test_a_repeated_write_writes_once(
    files: S3FileSystem, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    monkeypatch.setattr(store, "_library", lambda: counted)
    files.write_file("a", io.BytesIO(b"one"), fence(1))
    before = boto.head_object(Bucket=bucket, Key="a")
    files.write_file("a", io.BytesIO(b"one"), fence(2))
    assert boto.head_object(Bucket=bucket, Key="a")["LastModified"] == before["LastModified"]
    assert counted.puts == 2  # the second one is refused: the object is there, and is the same
    files.write_file("a", io.BytesIO(b"two"), fence(3))
    assert content_of(boto, bucket, "a") == b"two"


def test_a_writer_that_was_suspended_does_not_overwrite(
    files: S3FileSystem, server: PortServer, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease goes to a later attempt after it was checked: the later file stays."""
    lost: list[bool] = []
    later = S3FileSystem(s3_settings(server.url, bucket=bucket))

    def require() -> None:
        if lost:
            raise Fenced("the lease is lost")

    def overtake(content: bytes) -> Callable[[], None]:
        def run() -> None:
            monkeypatch.setattr(store, "_library", Counted)
            later.write_file("a", io.BytesIO(content), fence(2))
            lost.append(True)
            monkeypatch.setattr(store, "_library", lambda: counted)

        return run

    counted = Counted(before_put=overtake(b"later"))
    monkeypatch.setattr(store, "_library", lambda: counted)
    with pytest.raises(Fenced):
        files.write_file("a", io.BytesIO(b"earlier"), fence(1, require))
    assert content_of(boto, bucket, "a") == b"later"

    lost.clear()
    counted = Counted(before_copy=overtake(b"later still"))
    with pytest.raises(Fenced):
        files.write_file("a", io.BytesIO(b"x" * (store.SINGLE_PUT_BYTES + 1)), fence(1, require))
    assert content_of(boto, bucket, "a") == b"later still"
    assert [item["Key"] for item in boto.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]


def test_a_file_is_withdrawn_when_it_is_the_noted_one(files: S3FileSystem, boto: Any, bucket: str) -> None:
    files.write_file("a", io.BytesIO(b"one"), fence())
    assert not files.withdraw_file("a", hashlib.sha256(b"other").hexdigest(), fence())
    assert content_of(boto, bucket, "a") == b"one"
    assert files.withdraw_file("a", hashlib.sha256(b"one").hexdigest(), fence())
    assert not files.withdraw_file("a", hashlib.sha256(b"one").hexdigest(), fence())
    assert "Contents" not in boto.list_objects_v2(Bucket=bucket)


def test_a_reader_sees_one_version(files: S3FileSystem, boto: Any, bucket: str) -> None:
    old, new = b"o" * (12 << 20), b"n" * (12 << 20)
    boto.put_object(Bucket=bucket, Key="a", Body=old)
    with files.open("a") as content:
        beginning = content.read(10)
        boto.put_object(Bucket=bucket, Key="a", Body=new)
        assert set(beginning + content.read()) == set(b"o")


REFUSALS: list[tuple[int, str, str]] = [
    (403, "InvalidAccessKeyId", "credentials are refused"),
    (403, "SignatureDoesNotMatch", "credentials are refused"),
    (400, "ExpiredToken", "session token has expired"),
    (403, "RequestTimeTooSkewed", "clock of this machine"),
    (403, "AccessDenied", "permission is missing"),
    (301, "PermanentRedirect", "in another region"),
    (400, "AuthorizationHeaderMalformed", "in another region"),
    (404, "NoSuchBucket", "no such bucket"),
]


@pytest.fixture
def refusing() -> Iterator[ThreadingHTTPServer]:
    """A server that answers each request as its ``answer`` says, and shows the request in it, as S3 does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, code = self.server.answer  # type: ignore[attr-defined]
            shown = f"{self.headers}{KEY}{SECRET}canary-token"
            body = f"<Error><Code>{code}</Code><StringToSign>{shown}</StringToSign></Error>".encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(("status", "code", "reason"), REFUSALS)
def test_a_refusal_names_cause_and_remedy_and_no_secret(
    status: int, code: str, reason: str, refusing: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RETRIES", s3.RETRIES | {"max_retries": 0})
    refusing.answer = (status, code)  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{refusing.server_port}"
    files = S3FileSystem(s3_settings(url, bucket="bucket", session_token="canary-token"))
    operations: dict[Callable[[], Any], tuple[type[DocfleetError], ...]] = {
        files.check: (SourceNotFound, SourceUnreadable),
        lambda: files.list_files(recursive=True): (SourceNotFound, SourceUnreadable),
        lambda: files.open("a"): (SourceNotFound, FileError),
        lambda: files.write_file("a", io.BytesIO(b"x")): (DestinationRejected,),
    }
    for operation, kinds in operations.items():
        with pytest.raises(kinds) as refused:
            operation()
        assert reason in refused.value.message
        shown = f"{refused.value.message}{refused.value.__cause__}{files._stores}{files!r}"
        assert not [canary for canary in (KEY, SECRET, "canary-token") if canary in shown]


def test_credentials_are_never_mixed_with_those_of_the_environment(
    refusing: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    seen: list[Any] = []
    monkeypatch.setattr(refusing.RequestHandlerClass, "log_message", lambda self, *_: seen.append(self.headers))
    refusing.answer = (403, "AccessDenied")  # type: ignore[attr-defined]
    files = S3FileSystem(s3_settings(f"http://127.0.0.1:{refusing.server_port}", bucket="bucket"))
    with pytest.raises(SourceUnreadable):
        files.check()
    assert seen[0]["x-amz-security-token"] is None
    assert KEY in seen[0]["authorization"]


def test_a_store_that_does_not_answer_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docfleet.connectors.filesystems.objects.s3.RETRIES", s3.RETRIES | {"max_retries": 0})
    files = S3FileSystem(s3_settings("http://127.0.0.1:1", bucket="bucket"))
    with pytest.raises(SourceUnreadable, match="does not answer"):
        files.check()
    with pytest.raises(SourceUnavailable, match="does not answer"):
        files.open("a")
    with pytest.raises(DestinationUnavailable, match="does not answer"):
        files.write_file("a", io.BytesIO(b"x"))


@pytest.mark.parametrize(
    "more", [{"endpoint_url": "s3.example.com"}, {"endpoint_url": "http://user:pw@host"}, {"secret": ""}]
)
def test_settings_that_cannot_be(more: dict[str, str]) -> None:
    files = S3FileSystem(s3_settings("http://127.0.0.1:1", bucket="bucket") | more)
    with pytest.raises(ConfigurationError):
        files.check()


def test_the_first_of_a_million_keys_are_a_stream(files: S3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)

    class Library:
        def list(self, *_: Any, **__: Any) -> Iterator[list[Any]]:
            for start in range(0, 1_000_000, 1000):
                yield [
                    {"path": f"in/{number:07}.pdf", "size": 1, "last_modified": now, "e_tag": '"t"', "version": None}
                    for number in range(start, start + 1000)
                ]

    monkeypatch.setattr(store, "_library", Library)
    entries = files.list_files("in", recursive=True)
    tracemalloc.start()
    try:
        # a part of them: the memory does not depend on how many follow
        count = sum(1 for _, _ in zip(range(10_000), entries, strict=False))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 2 << 20


_CHILDREN = """
import io, os, signal, sys, warnings
warnings.simplefilter("ignore")
from docfleet.connectors.registry import open_file_system
from docfleet.core.errors import ForkUnsafe

settings = {"endpoint_url": sys.argv[1], "region_name": "us-east-1", "key": "k", "secret": "s", "bucket": sys.argv[2]}
if sys.argv[3] == "touched":
    open_file_system("minio", settings).check()

def work(number):
    signal.alarm(20)  # ends a child that hangs
    try:
        files = open_file_system("minio", settings)
        for count in range(5):
            path = f"child-{number}/{count}"
            files.write_file(path, io.BytesIO(path.encode()))
            assert files.open(path).read() == path.encode()
        assert len(list(files.list_files(f"child-{number}", recursive=True))) == 5
        return 0
    except ForkUnsafe as error:
        return 3 if f"used in process {os.getppid()} before process {os.getpid()}" in error.message else 4

children = []
for number in range(4):
    if not (pid := os.fork()):
        os._exit(work(number))
    children.append(pid)
print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""


@pytest.mark.parametrize(("parent", "exits"), [("untouched", "0 0 0 0"), ("touched", "3 3 3 3")])
def test_children_of_a_pool_work_where_the_parent_never_did(
    parent: str, exits: str, server: PortServer, bucket: str
) -> None:
    """The library's threads are not in a child: a request of it would wait forever."""
    command = [sys.executable, "-c", _CHILDREN, server.url, bucket, parent]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.strip() == exits, ended.stderr
