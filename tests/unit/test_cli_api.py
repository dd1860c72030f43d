"""Publishing a workflow: the sections of the file, and where a command finds the backend."""

from __future__ import annotations

import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from docfleet.cli.commands.apply import difference
from docfleet.cli.connection import connect
from docfleet.cli.embedded.data_folder import DataFolder, announced
from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.cli.main import cli, main
from docfleet.cli.workflow_file import WorkflowFileInvalid, read_workflow
from docfleet.core.errors import ConfigurationError

API = "workflow: {name: w}\ntools: [{tool: passthrough}]\napi: {name: invoices, display_name: Invoices}\n"
ENDPOINTS = "source: {connector: local}\ndestination: {connector: sqlite}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "w.yaml"
    path.write_text(text)
    return path


def test_an_api_has_no_source_and_no_destination_of_its_own(tmp_path: Path) -> None:
    workflow = read_workflow(write(tmp_path, API))
    assert workflow.document["source"] == workflow.document["destination"] == {"connector": "api"}
    assert workflow.api is not None
    assert (workflow.api.name, workflow.api.display_name, workflow.api.is_active) == ("invoices", "Invoices", True)
    assert "api" not in workflow.document


def test_the_example_is_valid() -> None:
    workflow = read_workflow(Path(__file__).parents[2] / "examples" / "invoice-api.yaml")
    assert workflow.api is not None and workflow.api.name == "invoices"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (API + ENDPOINTS, "line 4: source: files of an API come with the call"),
        (API + "pipeline: {name: p}\n", "line 4: pipeline: an API is called"),
        (API.replace("invoices", "in/voices"), r"line 3: api.name: expected 1 to 100 letters, digits"),
        (API.replace("name: invoices", "name: invoices, nam: x"), "unknown field nam"),
        ("workflow: {name: w}\ntools: []\n", "missing required field source"),
        (
            "workflow: {name: w}\napi:\n  name: a\n  notifications:\n"
            "  - {name: ops, provider: console}\n  - {name: ops, provider: console}\n",
            "line 6: api.notifications: the name 'ops' is given twice",
        ),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(WorkflowFileInvalid, match=expected):
        read_workflow(write(tmp_path, text))


def test_an_api_is_not_run(tmp_path: Path) -> None:
    command = ["run", str(write(tmp_path, API)), "--data", str(tmp_path / "data")]
    done = CliRunner().invoke(cli, command, standalone_mode=False)
    assert done.return_value == 1
    assert "docfleet apply" in done.output
    assert not (tmp_path / "data").exists()


def test_a_running_system_announces_itself_privately_until_it_ends(tmp_path: Path) -> None:
    data = DataFolder.open(tmp_path / "data", "a test")
    data.announce({"url": "http://127.0.0.1:1", "organization": "default", "key": "secret"})
    assert os.stat(tmp_path / "data" / "system.json").st_mode & 0o077 == 0
    found = announced(tmp_path / "data")
    assert found is not None and found["key"] == "secret"
    assert connect(None, None, None, tmp_path / "data").organization_id == "default"
    data.close()
    assert announced(tmp_path / "data") is None


def test_options_go_before_the_environment_and_it_before_a_running_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCFLEET_URL", "http://environment:1")
    monkeypatch.setenv("DOCFLEET_KEY", "k")
    monkeypatch.setenv("DOCFLEET_ORGANIZATION", "theirs")
    assert connect(None, None, None, tmp_path).absolute("/x") == "http://environment:1/x"
    client = connect("http://option:2/", "other", "ours", tmp_path)
    assert (client.absolute("/x"), client.organization_id) == ("http://option:2/x", "ours")


def test_without_an_address_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCFLEET_URL", "DOCFLEET_KEY", "DOCFLEET_ORGANIZATION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="start `docfleet dev`"):
        connect(None, None, None, tmp_path)
    with pytest.raises(ConfigurationError, match="DOCFLEET_KEY"):
        connect("http://x", None, None, tmp_path)
    with pytest.raises(ConfigurationError, match="not an http address"):
        connect("ftp://x", "k", None, tmp_path)


def test_a_difference_shows_what_changes() -> None:
    before = {
        "description": "a",
        "tools": [{"tool": "x", "settings": {"n": 1, "pages": 10}}],
        "destination": {"connector": "postgresql", "settings": {"password": "****", "host": "h"}},
    }
    after = {
        "description": "b",
        "tools": [{"tool": "x", "settings": {"n": 2, "pages": 10}}],
        "destination": {"connector": "postgresql", "settings": {"password": "**** (changed)", "host": "h"}},
    }
    assert difference(before, after) == [
        "- description: a",
        "+ description: b",
        "-     n: 1",
        "+     n: 2",
        "-     password: '****'",
        "+     password: '**** (changed)'",
    ]
    assert difference({"description": "a"}, {"description": ""}) == ["- description: a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            API.replace("passthrough", "passthrough, settings: {day: 2026-01-01}"),
            "line 2: tools.0.settings.day: a date",
        ),
        (API.replace("passthrough", "passthrough, settings: {n: [.inf]}"), "line 2: tools.0.settings.n.0: a number"),
        (API.replace("passthrough", "passthrough, settings: {1: 2}"), "line 2: 1 is not a text"),
        (API.replace("passthrough", "passthrough, settings: &a {x: *a}"), "an alias that holds itself"),
        (API.replace("invoices,", f"{'i' * 101},"), "line 3: api.name: expected 1 to 100 letters"),
        (API.replace("passthrough", "passthrough, settings: {password: *hunter2}"), "line 2, column 50: not valid"),
        (API.replace("passthrough", "passthrough, settings: {password: !hunter2 x}"), "line 2, column 50: not valid"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{key}: &{key} [{','.join([f'*{below}'] * 10)}]\n" for key, below in zip("bcde", "abcd", strict=True)
            ),
            "more than 100000 parts",
        ),
    ],
)
def test_what_yaml_knows_and_json_does_not_is_refused_and_no_secret_shown(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(WorkflowFileInvalid) as refused:
        read_workflow(write(tmp_path, text))
    assert expected in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["executions", "show", "nope"], 1, "the execution id (see `docfleet executions list`) is not a UUID: 'nope'"),
        (["executions", "show", ""], 1, "is not a UUID: ''"),
        (["executions", "results", "../x"], 1, "is not a UUID"),
        (["keys", "revoke", "nope"], 1, "the key id (see `docfleet keys list`) is not a UUID"),
        (["keys", "list", "--organization", "a\nb"], 2, "the organization has characters"),
        (["keys", "list", "--key", "\u0142"], 2, "the key has characters"),
        (["keys", "list", "--url", "http://127.0.0.1:99999"], 2, "not an http address"),
        (["keys", "list", "--url", "http://127.0.0.1:x"], 2, "not an http address"),
        (["keys", "list"], 1, "Connection refused; check that it runs and that --url is right"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(
    arguments: list[str], code: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # nobody listens
        where = [] if "--url" in arguments else ["--url", f"http://127.0.0.1:{nobody.getsockname()[1]}"]
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *where, *([] if "--key" in arguments else ["--key", "k"])])
    assert ended.value.code == code
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"\xff"), (404, b"Not Found"), (404, b"[]")])
def test_another_server_is_told_from_a_backend(status: int, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_the_address_of_an_api_survives_a_restart_where_its_port_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BACKEND_PORT", raising=False)

    def address() -> str:
        with EmbeddedSystem(tmp_path / "data", (), command="a test", say=print) as system:
            return system.addresses.backend_url

    first = address()
    assert address() == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        other.listen()
        moved = address()
    assert moved != first
    (tmp_path / "data" / "run" / "backend.port").write_text("nonsense")
    assert address().startswith("http://127.0.0.1:")
