"""The connector of S3 against a second server: it checks keys, no signatures, and has no conditional writes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from docfleet.connectors.filesystems.objects import store
from docfleet.connectors.filesystems.objects.s3 import S3FileSystem
from docfleet.core.errors import DestinationRejected, FileError, SourceNotFound, SourceUnreadable
from tests.object_stores import PortServer, s3_client, s3_settings, s3rver

KEYS = {"key": "S3RVER", "secret": "S3RVER"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with s3rver(tmp_path_factory.mktemp("s3rver")) as running:
        s3_client(running.url, **KEYS).create_bucket(Bucket="documents")
        yield running


def connect(server: PortServer, **more: Any) -> S3FileSystem:
    return S3FileSystem(s3_settings(server.url, **({"bucket": "documents"} | KEYS | more)))


def test_what_one_wrote_the_other_reads(server: PortServer) -> None:
    boto, files = s3_client(server.url, **KEYS), connect(server)
    large = b"l" * (store.SINGLE_PUT_BYTES + 1)
    boto.put_object(Bucket="documents", Key="in/a b.txt", Body=b"of boto")
    for content in (b"one", b"one", b"two"):
        files.write_file("out/b", io.BytesIO(content))
    files.write_file("out/large", io.BytesIO(large))
    assert boto.get_object(Bucket="documents", Key="out/b")["Body"].read() == b"two"
    assert boto.get_object(Bucket="documents", Key="out/large")["Body"].read() == large
    assert [entry.path for entry in files.list_files(recursive=True)] == ["in/a b.txt", "out/b", "out/large"]
    with files.open("in/a b.txt") as content:
        assert content.read() == b"of boto"


def test_wrong_credentials_and_bucket(server: PortServer) -> None:
    wrong = connect(server, key="NOBODY", secret="canary-secret")
    with pytest.raises(SourceUnreadable, match="credentials are refused") as refused:
        wrong.check()
    assert "canary" not in refused.value.message
    with pytest.raises(DestinationRejected, match="credentials are refused"):
        wrong.check(write=True)
    with pytest.raises(FileError, match="credentials are refused"):
        wrong.open("in/a b.txt")
    with pytest.raises(SourceNotFound, match="no such bucket"):
        connect(server, bucket="absent").check()
