"""A key of an organization at the command line: all of its commands, and no other key."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docfleet.cli.main import COMMANDS, cli
from docfleet.core.management.keys import Role
from tests.acceptance.fleet import DOCFLEET, Fleet, plain_environment

WORKFLOW = """\
pipeline:
  name: {name}
  schedule: {{cron: "0 3 1 1 *"}}
  notifications: [{{name: ops, provider: console}}]
workflow: {{name: {name}}}
source: {{connector: local, settings: {{path: {folder}}}}}
tools: [{{tool: passthrough}}]
destination: {{connector: sqlite, settings: {{path: {folder}.db}}, table: t}}
"""
API = """\
api: {{name: {name}-api}}
workflow: {{name: {name}-api}}
tools: [{{tool: passthrough}}]
"""
WITH_THE_INTERNAL_KEY = {"organizations create", "organizations list", "organizations set"}


class Terminal:
    """A shell of somebody who has a key of the organization, and no data folder."""

    def __init__(self, fleet: Fleet, folder: Path, key: str) -> None:
        self._folder = folder
        self._environment = {
            **plain_environment(),
            "DOCFLEET_URL": fleet.addresses.backend_url,
            "DOCFLEET_KEY": key,
        }
        self.called: set[str] = set()

    def __call__(self, *arguments: str, fails: int = 0) -> str:
        self.called |= {arguments[0], " ".join(arguments[:2])}
        done = subprocess.run(
            [*DOCFLEET, *arguments],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._folder,
            timeout=120,
            check=False,
        )
        assert done.returncode == fails, done.stderr + done.stdout
        return done.stderr if fails else done.stdout

    def json(self, *arguments: str) -> object:
        return json.loads(self(*arguments, "--json"))


def commands_of_a_backend(command: click.Command, *names: str) -> Iterator[str]:
    """The commands that call a backend."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands_of_a_backend(found, *names, name)
    elif any(option.name == "url" for option in command.params):
        yield " ".join(names)


@pytest.fixture
def organization(fleet: Fleet) -> str:
    """One that is not the default one."""
    name = f"o-{uuid.uuid4().hex[:8]}"
    fleet.client.create_organization(name, name)
    return name


def first_key(fleet: Fleet, organization: str, role: Role) -> str:
    """As who runs the backend makes it: with the internal key."""
    made = subprocess.run(
        [*DOCFLEET, "keys", "create", "--role", role, "--organization", organization, "--data", str(fleet.data)],
        capture_output=True,
        text=True,
        env=plain_environment(),
        timeout=60,
        check=True,
    )
    return made.stdout.strip()


def test_an_admins_key_runs_every_command_of_its_organization(fleet: Fleet, tmp_path: Path, organization: str) -> None:
    name, folder = f"n-{uuid.uuid4().hex[:8]}", tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (tmp_path / "workflow.yaml").write_text(WORKFLOW.format(name=name, folder=folder))
    (tmp_path / "api.yaml").write_text(API.format(name=name))
    docfleet = Terminal(fleet, tmp_path, first_key(fleet, organization, Role.ADMIN))

    assert "created" in docfleet("apply", "workflow.yaml") and "created" in docfleet("apply", "api.yaml")
    assert name in docfleet("pipelines", "list") and docfleet("pipelines", "preview", name)
    docfleet("pipelines", "ticks", name)
    docfleet("pipelines", "pause", name)
    docfleet("pipelines", "resume", name)
    docfleet("pipelines", "run", name)
    (run,) = docfleet.json("executions", "list")  # type: ignore[misc]
    logs = docfleet("executions", "logs", run["id"], "--follow")
    assert "Execution ended" in logs
    assert run["id"] in docfleet("executions", "show", run["id"])
    docfleet("executions", "why", run["id"])
    assert "no evidence" in docfleet("executions", "evidence", run["id"], "1", fails=1)
    docfleet("verify", run["id"])
    assert docfleet("organizations", "show") == docfleet("organizations", "show", organization)
    assert "had ended before" in docfleet("executions", "stop", run["id"])
    assert "nothing to retry" in docfleet("executions", "retry", run["id"], fails=1)
    assert "no results here" in docfleet("executions", "results", run["id"], fails=1)

    assert "ops" in docfleet("notifications", "list")
    tested = docfleet("notifications", "test", "ops")
    assert tested
    assert "event" in docfleet("notifications", "resend", str(uuid.uuid4()), fails=1)
    docfleet("notifications", "delete", "ops")

    for role in Role:
        assert docfleet("keys", "create", "--role", role, "--name", f"a {role}").startswith("dfk_")
    listed = docfleet("keys", "list")
    assert all(f"  {role}  " in listed.replace("viewer ", "viewer  ") for role in Role)
    assert docfleet("keys", "revoke", docfleet.json("keys", "list")[-1]["key_id"])  # type: ignore[index]
    docfleet("pipelines", "delete", name)

    refused = Terminal(fleet, tmp_path, first_key(fleet, organization, Role.ADMIN))("organizations", "list", fails=1)
    assert "INTERNAL_SERVICE_API_KEY" in refused
    assert "INTERNAL_SERVICE_API_KEY" in docfleet("organizations", "set", organization, "FILES_PER_DAY=0", fails=1)

    everything = set(commands_of_a_backend(cli))
    assert everything - WITH_THE_INTERNAL_KEY <= docfleet.called and len(COMMANDS) > 10


def test_a_viewers_key_is_refused_with_the_role_that_is_needed(fleet: Fleet, tmp_path: Path, organization: str) -> None:
    docfleet = Terminal(fleet, tmp_path, first_key(fleet, organization, Role.VIEWER))
    assert docfleet("executions", "list") == "no executions\n"
    (tmp_path / "api.yaml").write_text(API.format(name="n"))
    refused = docfleet("apply", "api.yaml", fails=1)
    assert "this key has the role viewer, and the call needs the role admin" in refused
    assert "role admin" in docfleet("keys", "create", "--role", "admin", fails=1)
    wrong = Terminal(fleet, tmp_path, f"dfk_{uuid.uuid4().hex}")("executions", "list", fails=1)
    elsewhere = docfleet("executions", "list", "--organization", "default", fails=1)
    assert wrong == elsewhere and "wrong" in wrong
