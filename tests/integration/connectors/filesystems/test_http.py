"""HTTP against a server of this process."""

from __future__ import annotations

import functools
import http.server
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.filesystems.http.connector import HttpFileSystem
from docfleet.connectors.filesystems.http.index import links
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    FileChanging,
    FileError,
    FileMissing,
    FileTooLarge,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    UnsafePath,
)
from docfleet.core.status import SkipReason
from tests.contract.connectors.child_process import assert_refused_in_a_child

LOGIN = "Basic dXNlcjpwYXNz"  # user:pass


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    redirects: dict[str, str] = {}
    statuses: dict[str, int] = {}
    short: set[str] = set()
    login = ""
    asked: list[str] = []

    def log_message(self, *arguments: Any) -> None: ...

    def do_GET(self) -> None:
        if not self.answered():
            super().do_GET()

    def do_HEAD(self) -> None:
        if not self.answered():
            super().do_HEAD()

    def answered(self) -> bool:
        self.asked.append(self.path)
        status, headers = self.statuses.get(self.path, 0), {"Content-Length": "0"}
        if self.login and self.headers.get("Authorization") != self.login:
            status = 401
        if self.path in self.redirects:
            status, headers["Location"] = 302, self.redirects[self.path]
        if self.path in self.short:
            status, headers = 200, {"Content-Length": "1000"}
        if not status:
            return False
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.path in self.short:
            self.wfile.write(b"x" * 10)
            self.close_connection = True
        return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[type[Handler]]:
    class Own(Handler):
        redirects, statuses, short, asked = {}, {}, set(), []
        url = ""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Own, directory=str(tmp_path)))
    made.daemon_threads = True
    Own.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield Own
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def files(server: Any) -> Iterator[HttpFileSystem]:
    with closing(HttpFileSystem({"base_url": server.url})) as connector:
        yield connector


def test_an_index_is_listed_and_read(files: HttpFileSystem, tmp_path: Path) -> None:
    for path in ("b.txt", "a b#?.txt", "sub/Größe.txt", "sub/deep/d.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    files.check()
    listed = {entry.path: entry for entry in files.list_files(recursive=True)}
    assert list(listed) == ["a b#?.txt", "b.txt", "sub/Größe.txt", "sub/deep/d.txt"]
    for path, entry in listed.items():
        with files.open(path) as content:
            assert len(content.read()) == entry.size > 0
        state = files.state(path)
        assert state is not None and (state.size, state.modified_at) == (entry.size, entry.modified_at)
    skipped: list[tuple[str, str]] = []
    found = files.list_files("/", recursive=True, max_depth=2, on_skip=lambda *skip: skipped.append(skip))
    assert len(list(found)) == 3
    assert skipped == [("sub/deep", SkipReason.TOO_DEEP)]
    assert [entry.name for entry in files.list_files("sub/deep", recursive=False)] == ["d.txt"]
    with pytest.raises(SourceNotFound):
        files.list_files("absent", recursive=True)


def test_links_elsewhere_are_no_names() -> None:
    page = """<a href="?C=N;O=D">N</a> <A HREF='../'>up</A> <a href="/f/one.txt">1</a> <a href="http://h/f/two/">2</a>
    <a href="http://elsewhere/f/x">x</a> <a href="deep/er">d</a> <a href="%2e%2e/">u</a> <a href="a%2Fb">s</a>
    <a href="a&amp;b.txt">and</a> <a href="http://[bad">bad</a> <a href="javascript:x">j</a> <a>none</a>
    <a href="caf%E9.txt">c</a>"""
    assert [(link.name, link.is_folder) for link in links(page, "http://h/f/")] == [
        (None, True),
        (None, False),
        ("a&b.txt", False),
        ("caf\udce9.txt", False),
        ("one.txt", False),
        ("two", True),
    ]


def test_the_identity_of_a_file_changes_with_it_and_is_no_other_files(files: HttpFileSystem, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
        os.utime(tmp_path / name, (1e9, 1e9))

    def identities() -> list[str | None]:
        return [entry.provider_file_uuid for entry in files.list_files(recursive=True)]

    before = identities()
    assert identities() == before
    assert before[0] != before[1]
    (tmp_path / "b").write_text("other")
    assert identities()[0] == before[0]
    assert identities()[1] != before[1]


def test_a_list_of_urls(server: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    urls = f"{server.url}/a.txt?token=canary\n{server.url}/gone.txt\n{server.url}/a.txt"
    skipped: list[tuple[str, str]] = []
    with closing(HttpFileSystem({"urls": urls})) as files:
        files.check()
        listed = [entry.path for entry in files.list_files(recursive=True, on_skip=lambda *skip: skipped.append(skip))]
        host = server.url.removeprefix("http://")
        assert [listed[1], skipped[0][0]] == [f"{host}/a.txt", f"{host}/gone.txt"]
        assert listed[0].startswith(f"{host}/a-") and "canary" not in listed[0]
        with files.open(listed[0]) as content:
            assert content.read() == b"a"
        with pytest.raises(FileMissing):
            files.open("elsewhere/a.txt")


def test_redirects_stay_on_the_host(files: HttpFileSystem, server: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    port = server.url.rpartition(":")[2]
    server.redirects |= {
        "/here": "/a.txt",
        "/loop": "/loop",
        "/name": f"http://localhost:{port}/a.txt",
        "/port": "http://127.0.0.1:1/a.txt",
        "/file": "file:///etc/passwd",
    }
    with files.open("here") as content:
        assert content.read() == b"a"
    for path in ("name", "port", "file", "loop"):
        with pytest.raises(FileError, match="redirects"):
            files.open(path)


def test_what_a_server_refuses(files: HttpFileSystem, server: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    server.statuses |= {"/403": 403, "/410": 410, "/503": 503, "/418": 418}
    for path, error in (("403", FileError), ("410", FileMissing), ("503", SourceUnavailable), ("418", FileError)):
        with pytest.raises(error) as caught:
            files.open(path)
        assert path in caught.value.message
    with pytest.raises(UnsafePath):
        files.open("../a.txt")
    server.login = LOGIN
    with pytest.raises(SourceUnreadable, match="401"):
        files.check()


def test_the_password_is_sent_and_not_shown(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.login = LOGIN
    settings = {"base_url": server.url, "username": "user"}
    with closing(HttpFileSystem(settings | {"password": "pass"})) as files:
        files.check()
    with closing(HttpFileSystem(settings | {"password": "canary"})) as files, pytest.raises(SourceUnreadable) as caught:
        files.check()
    assert "canary" not in caught.value.message + caplog.text
    with pytest.raises(ConfigurationError, match="several hosts"):
        HttpFileSystem({"urls": "http://a/x http://b/x", "username": "u", "password": "p"})
    with pytest.raises(ConfigurationError, match="login") as refused:
        HttpFileSystem({"base_url": "http://u:canary@a/"})
    assert "canary" not in refused.value.message
    for wrong in ({}, {"base_url": "ftp://a"}, {"base_url": "http://a", "urls": "http://a"}, {"urls": "http://"}):
        with pytest.raises(ConfigurationError):
            HttpFileSystem(wrong)


def test_a_transfer_that_ends_early_or_changes_or_is_too_large(server: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_500_000)
    server.short.add("/short")
    with closing(HttpFileSystem({"base_url": server.url, "max_file_mb": 1})) as files, pytest.raises(FileTooLarge):
        files.open("a")
    with closing(HttpFileSystem({"base_url": server.url})) as files:
        with files.open("short") as content, pytest.raises(SourceUnavailable):
            content.read()
        with files.open("a") as content:
            os.utime(tmp_path / "a", (1e9, 1e9))
            with pytest.raises(FileChanging):
                content.read()


def test_a_server_that_is_gone() -> None:
    with closing(HttpFileSystem({"base_url": "http://127.0.0.1:1/"})) as files:
        with pytest.raises(SourceUnreadable):
            files.check()
        with pytest.raises(SourceUnavailable):
            files.open("a")


def test_it_is_read_only_and_of_one_process(files: HttpFileSystem) -> None:
    with pytest.raises(DestinationRejected, match="read only"):
        files.check(write=True)
    assert_refused_in_a_child([files.check, lambda: files.open("a"), lambda: files.list_files(recursive=True)])
