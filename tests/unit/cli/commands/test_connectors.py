"""``docfleet connectors``: lists, schemas and tests, without a fleet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from docfleet.cli.main import main
from docfleet.connectors import catalogue
from docfleet.core.management.connectors import ConnectorDescription

WORKFLOW = """
workflow: {name: t}
source: {connector: local, settings: {path: ./in}}
tools: [{tool: passthrough}]
destination: {connector: sqlite, settings: {path: ./out/r.db}, table: t}
"""


def docfleet(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["connectors", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_list_names_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = catalogue.descriptions()
    assert docfleet(capsys, "list")[0] == 0
    others = [
        ConnectorDescription(name="far", mode="FILESYSTEM", can_read=True, extra="far", missing=["far_library"]),
        ConnectorDescription(name="odd", problem="connector odd needs the library x, which is missing: install it"),
    ]
    monkeypatch.setattr(catalogue, "descriptions", lambda: shipped + others)
    code, out, _ = docfleet(capsys, "list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert "read+write  filesystem  installed" in lines["local"]
    assert lines["far"].split()[1:3] == ["read", "filesystem"]
    assert "missing: pip install 'docfleet-connectors[far]'" in lines["far"]
    assert lines["far"].endswith("not run against a server")
    assert "needs the library x" in lines["odd"]
    names = [entry["name"] for entry in json.loads(docfleet(capsys, "list", "--json")[1])]
    assert names == [*(entry.name for entry in shipped), "far", "odd"]


def test_a_schema_marks_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = docfleet(capsys, "schema", "postgresql")
    assert code == 0
    fields = json.loads(out)["properties"]
    assert {name for name, rule in fields.items() if rule.get("writeOnly")} == {"connection_url", "password"}
    code, _, err = docfleet(capsys, "schema", "nope")
    assert code == 2
    assert "unknown connector 'nope'; installed are" in err


def test_a_workflow_file_tests_both_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(WORKFLOW)
    code, out, _ = docfleet(capsys, "test", str(file))
    assert code == 1
    assert f"source folder {tmp_path / 'in'} does not exist" in out
    (tmp_path / "in").mkdir()
    assert docfleet(capsys, "test", str(file))[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "w.yaml"]
    code, out, _ = docfleet(capsys, "test", str(file), "--only", "destination", "--json")
    assert [(result["direction"], result["ok"]) for result in json.loads(out)] == [("destination", True)]


def test_a_connector_file_takes_variables_and_shows_no_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("connector: postgresql\nsettings:\n  host: 127.0.0.1\n  port: 1\n  user: ${U}\n  password: ${P}\n")
    monkeypatch.setenv("U", "12345")
    monkeypatch.setenv("P", "canary-7f3a9")
    code, out, err = docfleet(capsys, "test", str(file))
    assert code == 1
    assert "destination  postgresql" in out
    assert "is not available" in out
    assert "canary" not in out + err
    file.write_text("connector: local\nsettings: {path: '${NOT_THERE}'}\n")
    code, _, err = docfleet(capsys, "test", str(file))
    assert code == 1
    assert "line 2: the variable NOT_THERE is not set" in err


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("connector: nope\nsettings: {}\n", 2, "unknown connector 'nope'"),
        ("connector: local\nsettings: {pth: x}\n", 2, "unknown field 'pth'"),
        ("connector: local\nsettings: 3\n", 1, "line 2: settings: expected object"),
        ("connector: [x]\n", 1, "line 1: connector: expected str"),
        ("workflow: {name: t}\napi: {name: t}\ntools: [{tool: passthrough}]\n", 2, "there is nothing to test"),
        ("settings: {}\n", 1, "line 1: object contains unknown field settings"),
    ],
)
def test_a_wrong_file_is_refused(
    text: str, code: int, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    answer, out, err = docfleet(capsys, "test", str(file))
    assert answer == code
    assert says in out + err


def test_the_exit_codes_are_in_the_help() -> None:
    from docfleet.cli.main import cli

    assert "Exit code: 0 everything works" in CliRunner().invoke(cli, ["connectors", "test", "--help"]).output
