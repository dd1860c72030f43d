"""`docfleet dev` and `docfleet run` in an environment with every setting: they start, and no secret is shared."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from docfleet.core.settings import EVERY_SETTING, environment_of
from tests.acceptance.fleet import DOCFLEET, SETTINGS, Fleet, Stage, children, fill, plain_environment
from tests.every_setting import SECRETS, SERVERS, every_setting
from tests.servers import free_port

OURS = {*SERVERS, "CELERY_BROKER_USER", "WORKER_READY_FILE", "TOOL_REGISTRY_CONFIG_PATH", *SETTINGS}
"""What `docfleet dev` decides itself unless it is told, and what the tests need to be otherwise."""


def environment(folder: Path) -> dict[str, str]:
    """Every setting that leaves the servers to `docfleet dev`, but for the database."""
    every = every_setting()
    servers = ("_BROKER_BASE_URL", "_RESULT_BACKEND", "_BROKER_USER")
    kept = {name: value for name, value in every.items() if name not in OURS and not name.endswith(servers)}
    (folder / "files").mkdir()
    return {
        **kept,
        "DATABASE_URL": f"sqlite:///{folder / 'files' / 'rows.db'}",
        "EXECUTION_STORAGE_ROOT": str(folder / "files"),
        "BACKEND_PORT": str(free_port()),
        "BACKEND_INTERNAL_PORT": str(free_port()),
        "RUNNER_PORT": str(free_port()),
        "RUNNER_WORK_DIR": str(folder / "files"),
    }


@pytest.fixture(scope="module")
def told_everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("told")
    fleet = Fleet(folder, environment(folder))
    yield fleet
    fleet.stop()


def descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from descendants(child)


def kind_of(pid: int) -> str:
    """What a process of a fleet is, by its command line: its children are what they are."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    if "docfleet.runner.engines.zygote" in command:
        return "tool"
    if "docfleet.cli.main" in command:
        arguments = command[command.index("docfleet.cli.main") + 1 :]
        return arguments[1] if arguments[0] == "worker" else arguments[0]
    return "lifeline" if command[-2].endswith("lifeline.py") else Path(command[0]).name


def environment_at_start(pid: int) -> dict[str, str]:
    """Nothing where the process is closed to its own user, as the runner is; root sees it."""
    try:
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    except PermissionError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def test_every_process_has_the_settings_that_it_reads_and_no_secret_of_another(
    told_everything: Fleet, tmp_path: Path
) -> None:
    fleet, seen = told_everything, set()
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {"a.txt": "wait"}), stage.tool)
    stage.await_starts(1)
    values = SECRETS | {"DATABASE_URL": fleet_database(fleet)}
    for pid in descendants(fleet.process.pid):
        try:
            kind, given = kind_of(pid), environment_at_start(pid)
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        seen.add(kind)
        foreign = EVERY_SETTING - set(environment_of(kind, dict.fromkeys(EVERY_SETTING, "")))
        assert not foreign & set(given), (kind, sorted(foreign & set(given)))
        for name, value in values.items():
            assert value not in command, (kind, name)
            if name in foreign:
                assert not [other for other, text in given.items() if value in text], (kind, name)
    stage.open()
    assert run.wait().status == "COMPLETED"
    assert {"backend", "runner", "tool", "lifeline", "general", "file_processing", "log_consumer"} <= seen
    assert any("valkey" in kind for kind in seen), seen


def test_the_key_of_metrics_of_dev_scrapes_its_backend(told_everything: Fleet) -> None:
    def scrape(key: str) -> int:
        url = f"{told_everything.addresses.backend_url}/metrics"
        try:
            with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=30) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    assert scrape(SECRETS["METRICS_API_KEY"]) == scrape(SECRETS["INTERNAL_SERVICE_API_KEY"]) == 200
    assert scrape(SECRETS["RUNNER_API_KEY"]) == 401


def fleet_database(fleet: Fleet) -> str:
    return f"sqlite:///{fleet.folder / 'files' / 'rows.db'}"


def test_a_run_in_an_environment_with_every_setting_succeeds(tmp_path: Path) -> None:
    fill(tmp_path / "in", {"a.txt": "one"})
    (tmp_path / "texts.yaml").write_text(
        f"workflow: {{name: texts}}\nsource: {{connector: local, settings: {{path: {tmp_path}/in}}}}\n"
        f"tools: [{{tool: passthrough}}]\n"
        f"destination: {{connector: sqlite, settings: {{path: {tmp_path}/out.db}}, table: t}}\n"
    )
    done = subprocess.run(
        [*DOCFLEET, "run", str(tmp_path / "texts.yaml"), "--json", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        env={**plain_environment(), **environment(tmp_path)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("MAX_PARALLEL_FILE_BATCH", "MAX_PARALLEL_FILE_BATCHES"), ("RUNNER_CONCURENCY", "RUNNER_CONCURRENCY")],
)
def test_a_misspelt_setting_ends_dev_with_the_right_name(tmp_path: Path, wrong: str, right: str) -> None:
    done = subprocess.run(
        [*DOCFLEET, "dev", "--json", "--data", str(tmp_path / f"data-{uuid.uuid4().hex[:8]}")],
        capture_output=True,
        text=True,
        env={**plain_environment(), wrong: "2"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and f"unknown setting {wrong}: did you mean {right}?" in done.stderr, done.stderr
    assert os.path.basename(done.stdout) == ""
