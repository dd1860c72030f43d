"""The command itself: lazy, quick, and clear about mistakes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from docfleet.cli.main import COMMANDS, cli
from docfleet.core.names import WorkerType

HEAVY = ("rich", "litestar", "sqlalchemy", "celery", "yaml", "requests", "alembic", "psycopg")


def docfleet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "docfleet.cli.main", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def modules_after(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(json.loads(out.splitlines()[-1]))


def test_help_lists_every_command_without_importing_one() -> None:
    code = "from click.testing import CliRunner; from docfleet.cli.main import cli; CliRunner().invoke(cli, ['--help'])"
    assert not modules_after(code) & set(HEAVY)
    text = CliRunner().invoke(cli, ["--help"]).output
    assert all(name in text for name in COMMANDS)


def test_a_worker_does_not_carry_the_terminal_or_the_backend() -> None:
    found = modules_after("import docfleet.cli.main, docfleet.cli.commands.worker, docfleet.workers.launch")
    assert not found & {"litestar", "sqlalchemy", "alembic", "psycopg", "pydantic"}
    assert "rich.progress" not in found
    assert {name for name in found if name.startswith("docfleet.cli")} == {
        "docfleet.cli",
        "docfleet.cli.main",
        "docfleet.cli.show",
        "docfleet.cli.show.terminal",
        "docfleet.cli.commands",
        "docfleet.cli.commands.worker",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    answer = CliRunner().invoke(cli, [name, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output


def test_an_unknown_worker_type_exits_2_and_lists_the_types() -> None:
    answer = docfleet("worker", "nonsense")
    assert answer.returncode == 2
    assert all(worker.value in answer.stderr for worker in WorkerType)


@pytest.mark.parametrize("process", [("backend",), ("runner",), ("worker", "general")])
def test_a_missing_setting_is_one_line_and_exit_2(process: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "RUNNER_API_KEY", "CELERY_BROKER_BASE_URL", "INTERNAL_SERVICE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    answer = docfleet(*process)
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("docfleet: setting ")
    assert len(answer.stderr.splitlines()) == 1


def test_an_unknown_command_or_option_exits_2() -> None:
    assert docfleet("fly").returncode == 2
    assert docfleet("run", "--fast").returncode == 2


def test_version_names_what_it_runs_on() -> None:
    answer = docfleet("version")
    assert answer.returncode == 0
    assert "celery" in answer.stdout


def test_an_invalid_workflow_file_is_exit_1_and_json_on_request(tmp_path: object) -> None:
    answer = docfleet("run", f"{tmp_path}/absent.yaml", "--json", "--data", f"{tmp_path}/d")
    assert answer.returncode == 1
    assert "absent.yaml: cannot be read" in json.loads(answer.stdout)["error"]
    assert "absent.yaml: cannot be read" in answer.stderr
