"""The connector of Azure Blob Storage against Azurite; signed requests of the test read and write beside it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import pytest
import requests

from docfleet.connectors.base import WriteFence
from docfleet.connectors.filesystems.objects import store
from docfleet.connectors.filesystems.objects.azure import AzureFileSystem
from docfleet.core.errors import DestinationRejected, FileMissing, SourceNotFound, SourceUnreadable
from tests.object_stores import PortServer, azurite

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Those of every Azurite: they are no secret."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        signed(running, "PUT", "box", query="restype=container")
        yield running


def signed(server: PortServer, method: str, path: str, body: bytes = b"", query: str = "") -> bytes:
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    if method == "PUT" and not query:
        headers["x-ms-blob-type"] = "BlockBlob"
    resource = f"/{ACCOUNT}/{quote(path)}"
    shown = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    length = str(len(body)) if body else ""
    named = query and "\n" + query.replace("=", ":")
    text = f"{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{shown}/{ACCOUNT}{resource}{named}"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{server.url}{resource}{query and '?'}{query}"
    answer = requests.request(method, url, data=body, headers=headers, timeout=10)
    assert answer.ok, answer.text
    return answer.content


def connect(server: PortServer, **more: Any) -> AzureFileSystem:
    settings = {"account_name": ACCOUNT, "access_key": KEY, "endpoint_url": f"{server.url}/{ACCOUNT}", "bucket": "box"}
    return AzureFileSystem(settings | more)


def test_what_one_wrote_the_other_reads(server: PortServer) -> None:
    files = connect(server, bucket="box/shared")
    signed(server, "PUT", "box/shared/in/Größe & 100%.txt", b"of the test")
    large = b"b" * (store.SINGLE_PUT_BYTES + 1)
    files.check()
    files.check(write=True)
    files.write_file("out/a.json", io.BytesIO(b"{}"))
    assert files.path_of(files.write_file("out/large", io.BytesIO(large))) == "out/large"
    assert signed(server, "GET", "box/shared/out/a.json") == b"{}"
    assert signed(server, "GET", "box/shared/out/large") == large
    before = {entry.path: entry for entry in files.list_files(recursive=True)}
    assert list(before) == ["in/Größe & 100%.txt", "out/a.json", "out/large"]
    with files.open("in/Größe & 100%.txt") as content:
        assert content.read() == b"of the test"
    signed(server, "PUT", "box/shared/in/Größe & 100%.txt", b"of the Test")
    after = {entry.path: entry for entry in files.list_files("in", recursive=False)}
    changed = after["in/Größe & 100%.txt"]
    assert changed.provider_file_uuid != before[changed.path].provider_file_uuid is not None


def test_a_repeated_write_writes_once_and_a_withdrawn_file_is_gone(server: PortServer) -> None:
    files = connect(server, bucket="box/repeated")
    files.write_file("a", io.BytesIO(b"one"))
    (first,) = files.list_files(recursive=True)
    files.write_file("a", io.BytesIO(b"one"))
    (second,) = files.list_files(recursive=True)
    assert second.provider_file_uuid == first.provider_file_uuid
    files.write_file("a", io.BytesIO(b"two"))
    fence = WriteFence("file-1", 2, lambda: None)
    assert not files.withdraw_file("a", hashlib.sha256(b"one").hexdigest(), fence)
    assert files.withdraw_file("a", hashlib.sha256(b"two").hexdigest(), fence)
    with pytest.raises(FileMissing):
        files.open("a")


def test_errors_name_cause_and_remedy(server: PortServer) -> None:
    absent = connect(server, bucket="absent")
    with pytest.raises(SourceNotFound, match="no such bucket"):
        absent.check()
    with pytest.raises(DestinationRejected, match="no such bucket"):
        absent.write_file("a", io.BytesIO(b"x"))
    secret = base64.b64encode(b"canary" * 5).decode()
    for key in (secret, f"not base64 {secret}"):
        with pytest.raises(SourceUnreadable, match=r"credentials") as refused:
            connect(server, access_key=key).check()
        assert secret not in refused.value.message
