"""Variables of workflow files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.cli.commands.apply import Plan
from docfleet.cli.workflow_file import WorkflowFile, WorkflowFileInvalid, read_workflow
from docfleet.core import masking

FILE = """\
workflow: {name: t, description: DESCRIPTION}
source:
  connector: local
  settings:
    path: PATH
  maxFiles: MAX
tools:
  - tool: field_extractor
    settings:
      pattern: PATTERN
      flag: FLAG
destination:
  connector: postgresql
  settings: {host: h, database: d, user: u, password: "PASSWORD", port: "PORT"}
  table: TABLE
"""
PLAIN = {
    **{"DESCRIPTION": "x", "PATH": "./in", "MAX": "1", "PATTERN": "x", "FLAG": "1"},
    **{"PASSWORD": "p", "PORT": "1", "TABLE": "t"},
}


def read(folder: Path, **values: str) -> WorkflowFile:
    text = FILE
    for name, value in (PLAIN | values).items():
        text = text.replace(name, value)
    (folder / "t.yaml").write_text(text)
    return read_workflow(folder / "t.yaml")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(masking, "_remembered", set())
    monkeypatch.setattr(masking, "_any_of_them", None)
    yield


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "V_TEXT": "a text",
        "V_YAML": 'x"\n  evil: {a: *b}\n#',
        "V_NESTED": "${V_TEXT} $${V_TEXT}",
        "V_NUMBER": "12",
        "V_PORT": "5433",
        "V_ZEROS": "0012",
        "V_TRUE": "true",
        "V_EMPTY": "",
        "V_PASSWORD": "correct horse: battery",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("V_NONE", raising=False)
    monkeypatch.delenv("V_NEITHER", raising=False)


def test_variables_stand_for_their_values(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\r\n")
    document = read(
        tmp_path,
        PASSWORD="${file:secret}",
        PATH="./${V_TEXT}/in",
        TABLE="t_${V_NUMBER}_${V_PORT}",
        DESCRIPTION='"${V_EMPTY}"',
    ).document
    assert document["destination"]["settings"]["password"] == "from a file"
    assert document["source"]["settings"]["path"] == str(tmp_path / "a text" / "in")
    assert document["destination"]["table"] == "t_12_5433"
    assert document["description"] == ""


def test_a_value_is_never_read_as_yaml_and_holds_no_variables(tmp_path: Path) -> None:
    document = read(tmp_path, PASSWORD="${V_YAML}", TABLE="${V_NESTED}", PATTERN="${V_YAML}").document
    assert document["destination"]["settings"]["password"] == 'x"\n  evil: {a: *b}\n#'
    assert document["destination"]["table"] == "${V_TEXT} $${V_TEXT}"
    assert document["tools"][0]["settings"] == {"pattern": 'x"\n  evil: {a: *b}\n#', "flag": 1}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("'^\\d+$'", "^\\d+$"),
        ("'$$'", "$$"),
        ("'a${2}'", "a${2}"),
        ("'[${}]'", "[${}]"),
        ("'$V_TEXT'", "$V_TEXT"),
        ("'$${V_TEXT}'", "${V_TEXT}"),
        ("'$${V_NONE} ${V_TEXT}'", "${V_NONE} a text"),
    ],
)
def test_a_dollar_sign_is_one(pattern: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path, PATTERN=pattern).document["tools"][0]["settings"]["pattern"] == text


def test_a_number_alone_and_without_quotes_is_one(tmp_path: Path) -> None:
    def tool(value: str) -> object:
        return read(tmp_path, FLAG=value).document["tools"][0]["settings"]["flag"]

    assert read(tmp_path, MAX="${V_NUMBER}").document["source"]["maxFiles"] == 12
    assert tool("${V_TRUE}") is True
    assert tool("${V_NUMBER}") == 12 and tool("'${V_NUMBER}'") == "12" and tool("x${V_NUMBER}") == "x12"
    assert tool("${V_ZEROS}") == "0012"
    assert read(tmp_path, PATH="${V_NUMBER}").document["source"]["settings"]["path"] == str(tmp_path / "12")
    assert read(tmp_path, PORT="${V_PORT}").document["destination"]["settings"]["port"] == "5433"


def test_an_alias_is_replaced_once(tmp_path: Path) -> None:
    document = read(tmp_path, PATTERN="&a ${V_NESTED}", FLAG="*a").document
    assert document["tools"][0]["settings"] == {"pattern": "${V_TEXT} $${V_TEXT}", "flag": "${V_TEXT} $${V_TEXT}"}


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    with pytest.raises(WorkflowFileInvalid) as refused:
        read(
            tmp_path,
            DESCRIPTION="'${V_NONE:-x} ${file:latin}'",
            PATTERN="${V_NEITHER} ${file:long}",
            PASSWORD="${file:nowhere} ${V_NONE}",
        )
    assert str(refused.value).removeprefix(f"{tmp_path / 't.yaml'}: ").split("; ") == [
        "line 1: ${V_NONE:-x} is no variable: write ${NAME} or ${file:PATH}, or $${ for a plain ${",
        "line 1: the file latin is not a text in UTF-8",
        "line 10: the variable V_NEITHER is not set",
        "line 10: the file long has more than 65536 bytes",
        "line 14: the file nowhere cannot be read: No such file or directory",
        "line 14: the variable V_NONE is not set",
    ]


def test_a_variable_in_braces_has_to_be_in_quotes(tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileInvalid, match=r"line 14.*within \{ \} or \[ \] has to be in quotes"):
        (tmp_path / "t.yaml").write_text(FILE.replace('"PASSWORD"', "${V_PASSWORD}"))
        read_workflow(tmp_path / "t.yaml")


def test_a_secret_is_in_no_message(tmp_path: Path) -> None:
    workflow = read(tmp_path, PASSWORD="${V_PASSWORD}", TABLE="${V_TEXT}", PATTERN="${V_PASSWORD}")
    secret = "correct horse: battery"
    assert workflow.document["destination"]["settings"]["password"] == secret
    assert secret not in workflow.explain(f"the password '{secret}' is wrong")
    assert "a text" in workflow.explain("no table 'a text'")
    tools = {"tools": [{"settings": {"pattern": secret}}]}
    assert secret not in Plan("workflows", "t", {}, False, {"tools": []}, tools).describe(dry_run=False)
