"""A schedule on the real system: applied, previewed, fired by the scheduler worker, paused; the original's messages."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import Celery

from docfleet.core.management.workflows import WorkflowList
from tests.acceptance.fleet import DOCFLEET, Fleet, fill, plain_environment
from tests.waiting import until

NAME = "nightly"


@pytest.fixture(scope="module")
def fleet(redis_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {"CELERY_BROKER_BASE_URL": redis_broker, "TICK_INTERVAL_SECONDS": "1"}
    fleet = Fleet(tmp_path_factory.mktemp("schedules"), settings)
    yield fleet
    fleet.stop()


def docfleet(fleet: Fleet, *arguments: str, code: int = 0) -> str:
    """A command against the fleet; what it printed."""
    environment = {
        **plain_environment(),
        "DOCFLEET_URL": fleet.addresses.backend_url,
        "DOCFLEET_KEY": fleet.addresses.key,
    }
    done = subprocess.run([*DOCFLEET, *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def workflow_file(folder: Path, **schedule: Any) -> Path:
    fill(folder / "in", {"a.txt": "one"})
    document = {
        "workflow": {"name": NAME},
        "source": {"connector": "local", "settings": {"path": "in"}},
        "tools": [{"tool": "passthrough"}],
        "destination": {"connector": "sqlite", "settings": {"path": "out.db"}, "table": "results"},
        "pipeline": {"name": NAME, "schedule": {"cron": "30 2 * * *", **schedule}},
    }
    path = folder / "nightly.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def fire(fleet: Fleet) -> None:
    """The next tick of the pipeline is now."""
    at = int(time.time()) // 60 * 60
    moment = time.gmtime(at)
    with closing(sqlite3.connect(fleet.data / "docfleet.db", timeout=30)) as database, database:
        database.execute(
            "UPDATE pipelines SET next_tick_at = ?, next_run_at = ?, cron_string = ?, time_zone = 'UTC'",
            (at, at, f"{moment.tm_min} {moment.tm_hour} * * *"),
        )


def test_a_schedule_from_the_file_to_the_rows(fleet: Fleet, tmp_path: Path) -> None:
    path = workflow_file(tmp_path, timeZone="Europe/Berln")
    said = docfleet(fleet, "apply", str(path), code=1)
    assert "line 18: 'timeZone'" in said and "did you mean Europe/Berlin?" in said
    assert not fleet.client.call(WorkflowList, "GET", "workflows").workflows, "a refused file wrote something"
    workflow_file(tmp_path, timeZone="Europe/Berlin")
    assert "+ pipeline nightly: created" in docfleet(fleet, "apply", str(path))
    assert "= pipeline nightly: unchanged" in docfleet(fleet, "apply", str(path))
    preview = docfleet(fleet, "pipelines", "preview", NAME, "-n", "3").splitlines()
    assert len(preview) == 3 and all("T02:30:00+0" in line and line.endswith("UTC") for line in preview)
    assert "never ran, 0 runs  next" in docfleet(fleet, "pipelines", "list")
    fire(fleet)
    row = until(lambda: (row := fleet.client.pipeline(NAME)).run_count == 1 and row, what="it did not run")
    assert row.last_run_status == "SUCCESS" and row.last_run_time and row.next_run_time
    (tick,) = json.loads(docfleet(fleet, "pipelines", "ticks", NAME, "--json"))
    assert tick["outcome"] == "fired"
    assert fleet.client.execution(tick["execution_id"]).execution.execution_method == "SCHEDULED"
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        assert database.execute("SELECT count(*) FROM results").fetchone() == (1,)


def test_a_paused_pipeline_is_refused_whoever_asks(fleet: Fleet, redis_broker: str) -> None:
    row = fleet.client.pipeline(NAME)
    assert "is paused" in docfleet(fleet, "pipelines", "pause", NAME)
    assert "is paused: resume it first" in docfleet(fleet, "pipelines", "run", NAME, code=1)
    asked = send(redis_broker, "celery", row.pipeline_id)
    until(lambda: "pipeline.refused" in worker_log(fleet, "general", asked), what="the message was not refused")
    assert fleet.client.pipeline(NAME).run_count == row.run_count
    assert "next run" in docfleet(fleet, "pipelines", "resume", NAME)


@pytest.mark.parametrize("queue", ["celery", "scheduler"])
def test_the_original_s_message_runs_a_pipeline_once(fleet: Fleet, redis_broker: str, queue: str) -> None:
    before = fleet.client.pipeline(NAME)
    task = send(redis_broker, queue, before.pipeline_id)
    until(lambda: fleet.client.pipeline(NAME).run_count == before.run_count + 1, what="it did not run")
    kind = "general" if queue == "celery" else "scheduler"
    handled = worker_log(fleet, kind, task).count("task.finished")
    send(redis_broker, queue, before.pipeline_id, task)  # a redelivery
    until(lambda: worker_log(fleet, kind, task).count("task.finished") > handled, what="it was not taken again")
    assert fleet.client.pipeline(NAME).run_count == before.run_count + 1
    assert len(fleet.client.executions(status=None, limit=100)) == before.run_count + 1


def test_a_pipeline_that_the_file_no_longer_names_is_reported_and_deleted(fleet: Fleet, tmp_path: Path) -> None:
    path = workflow_file(tmp_path)
    path.write_text(path.read_text().replace(f"pipeline:\n  name: {NAME}", "pipeline:\n  name: by night"))
    assert f"`docfleet pipelines delete {NAME}` takes it away" in docfleet(fleet, "apply", str(path))
    assert f"{NAME} is deleted" in docfleet(fleet, "pipelines", "delete", NAME)
    assert "there is no pipeline" in docfleet(fleet, "pipelines", "delete", NAME, code=1)
    assert [row.name for row in fleet.client.pipelines()] == ["by night"]
    assert "unchanged" in docfleet(fleet, "apply", str(path))


def send(broker: str, queue: str, pipeline_id: str, task: str | None = None) -> str:
    """The message of a stored schedule of the original; its id."""
    task = task or str(uuid.uuid4())
    with Celery(broker=broker, set_as_current=False) as app:
        arguments = [str(uuid.uuid4()), "default", "", "", pipeline_id, False, f"Pipeline job-{pipeline_id}"]
        app.send_task("scheduler.tasks.execute_pipeline_task", args=arguments, queue=queue, task_id=task)
    return task


def worker_log(fleet: Fleet, kind: str, task: str) -> str:
    """What a worker said about a task."""
    text = (fleet.data / "logs" / f"{kind}.log").read_text()
    return "\n".join(line for line in text.splitlines() if task in line)
