"""Where a command finds the backend: options, the environment, a running system."""

from __future__ import annotations

import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from docfleet.cli.connection import connect
from docfleet.cli.main import main
from docfleet.core.errors import ConfigurationError
from docfleet.core.log_events import LogLevel
from docfleet.core.management.keys import KEY_PREFIX

INFO = LogLevel.INFO


def test_options_go_before_the_environment_and_it_before_a_running_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCFLEET_URL", "http://environment:1")
    monkeypatch.setenv("DOCFLEET_KEY", "k")
    monkeypatch.setenv("DOCFLEET_ORGANIZATION", "theirs")
    assert connect(None, None, None, tmp_path).absolute("/x") == "http://environment:1/x"
    client = connect("http://option:2/", "other", "ours", tmp_path)
    assert (client.absolute("/x"), client.organization_id) == ("http://option:2/x", "ours")


def test_a_key_of_an_organization_says_which_one_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCFLEET_ORGANIZATION", raising=False)
    key = f"{KEY_PREFIX}of-an-organization"
    assert connect("http://x", key, None, tmp_path).organization_id is None
    assert connect("http://x", key, "ours", tmp_path).organization_id == "ours"
    assert connect("http://x", "internal", None, tmp_path).organization_id == "default"
    for organization_id, sent in ((None, None), ("ours", "ours")):
        headers = connect("http://x", key, organization_id, tmp_path).events_address(str(uuid.uuid4()), 0, INFO)[1]
        assert headers.get("X-Organization-ID") == sent


def test_without_an_address_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCFLEET_URL", "DOCFLEET_KEY", "DOCFLEET_ORGANIZATION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="start `docfleet dev`"):
        connect(None, None, None, tmp_path)
    with pytest.raises(ConfigurationError, match="DOCFLEET_KEY"):
        connect("http://x", None, None, tmp_path)
    with pytest.raises(ConfigurationError, match="not an http address"):
        connect("ftp://x", "k", None, tmp_path)


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"\xff"), (404, b"Not Found"), (404, b"[]")])
def test_another_server_is_not_taken_for_a_backend(
    status: int, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(SystemExit) as ended:
            main(["keys", "list", "--url", f"http://127.0.0.1:{server.server_port}", "--key", "k"])
        thread.join()
    assert ended.value.code == 1
    assert "is not a Docfleet backend: check --url" in capsys.readouterr().err
