"""Workflow files: what is read, how paths are resolved, and what a mistake is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from docfleet.cli.main import cli
from docfleet.cli.workflow_file import WorkflowFileInvalid, read_workflow
from docfleet.core.management import MAX_REQUEST_BYTES
from tests.repository import REPOSITORY

GOOD = """\
workflow: {name: invoices, description: d, use_file_history: false}
source:
  connector: local
  settings: {path: ./in put}
  fileExtensions: ["*"]
tools:
  - {tool: text_extractor, settings: {a: 1}}
  - tool: field_extractor
destination: {connector: sqlite, settings: {path: out/x.db}, table: invoices}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "w.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    workflow = read_workflow(write(tmp_path, GOOD))
    assert workflow.name == "invoices"
    assert workflow.use_file_history is False
    assert workflow.document["source"] == {
        "connector": "local",
        "settings": {"path": str(tmp_path / "in put")},
        "fileExtensions": ["*"],
    }
    assert workflow.document["destination"]["settings"]["path"] == str(tmp_path / "out/x.db")
    assert workflow.document["destination"]["table"] == "invoices"
    assert workflow.document["tools"] == [
        {"tool": "text_extractor", "settings": {"a": 1}},
        {"tool": "field_extractor", "settings": {}},
    ]
    assert workflow.document["name"] == "invoices"
    assert "workflow" not in workflow.document


def test_options_take_the_place_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workflow = read_workflow(write(tmp_path, GOOD), source=Path("other"), output=Path("o.db"))
    assert workflow.document["source"]["settings"] == {"path": str(tmp_path / "other")}
    assert workflow.document["destination"]["settings"] == {"path": str(tmp_path / "o.db")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workflow: {name: x\n", "line 2, column 1: not valid YAML"),
        ("- a\n", "expected the sections"),
        ("", "expected the sections"),
        (GOOD.replace("connector: local", "conector: local"), "line 2: source: "),
        (
            GOOD.replace("name: invoices,", "name: '  ',"),
            "line 1: workflow.name: expected one line, without blanks around it",
        ),
        (GOOD.replace("name: invoices,", "name: 7,"), "line 1: workflow.name: expected str, got int"),
        (GOOD.replace("settings: {a: 1}", "settings: 5"), "line 7: tools.0.settings: expected object, got int"),
        (GOOD.replace("settings: {a: 1}", "seting: {}"), "line 7: tools.0: object contains unknown field seting"),
        (GOOD + "extra: 1\n", "line 10: object contains unknown field extra"),
        (GOOD + "source: {connector: local}\n", "line 10: source is given twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(WorkflowFileInvalid) as caught:
        read_workflow(path)
    assert str(path) in caught.value.message
    assert expected in caught.value.message


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileInvalid, match="cannot be read: No such file"):
        read_workflow(tmp_path / "absent.yaml")
    path = tmp_path / "b.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkflowFileInvalid, match="not a text file"):
        read_workflow(path)


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileInvalid, match="not valid YAML"):
        read_workflow(write(tmp_path, "workflow: !!python/object/apply:os.system ['true']\n"))


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("destination: unknown field `table`", 9),
        ("tool 1 (text_extractor): there is no tool 'text_extractor'", 7),
        ("setting 'a' of the tool is not known", 7),
    ],
)
def test_a_fault_the_backend_found_is_given_its_line(tmp_path: Path, fault: str, line: int) -> None:
    path = write(tmp_path, GOOD)
    assert read_workflow(path).explain(fault) == f"{path}, line {line}: {fault}"
    assert read_workflow(path).explain("the moon is full") == f"{path}: the moon is full"


API = "workflow: {name: w}\ntools: [{tool: passthrough}]\napi: {name: invoices, display_name: Invoices}\n"
ENDPOINTS = "source: {connector: local}\ndestination: {connector: sqlite}\n"


def test_an_api_has_no_source_and_no_destination_of_its_own(tmp_path: Path) -> None:
    workflow = read_workflow(write(tmp_path, API))
    assert workflow.document["source"] == workflow.document["destination"] == {"connector": "api"}
    assert workflow.api is not None
    assert (workflow.api.name, workflow.api.display_name, workflow.api.is_active) == ("invoices", "Invoices", True)
    assert "api" not in workflow.document


def test_the_example_is_valid() -> None:
    workflow = read_workflow(REPOSITORY / "examples" / "invoice-api.yaml")
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
            "more than 100000 nodes",
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


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)
    with path.open("a") as file:
        file.write("# " + "y" * MAX_REQUEST_BYTES + "\n")
    monkeypatch.setattr(yaml, "compose", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(WorkflowFileInvalid, match=f"at most {MAX_REQUEST_BYTES} bytes"):
        read_workflow(path)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    text = GOOD + "# "
    path = write(tmp_path, text + "y" * (MAX_REQUEST_BYTES - len(text)))
    assert read_workflow(path).name == "invoices"
