"""Resume with real processes: finished steps are not run again, and a retry takes up what failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.fleet import DOCFLEET, PLUGINS, Fleet, Run, fill, plain_environment, pool_children
from tests.acceptance.published import BETTER, Published
from tests.waiting import until


class Counted:
    """A fleet with faults that can be armed, and two tools that count."""

    def __init__(self, folder: Path) -> None:
        self.faults = folder / "faults"
        self.faults.mkdir()
        registry = folder / "counters"
        registry.mkdir()
        for name in ("first", "second"):
            (registry / f"{name}.yaml").write_text(json.dumps({"tool_id": name, "module": "counter.tool:tool"}))
        settings = {"TOOL_REGISTRY_CONFIG_PATH": str(registry), "DOCFLEET_FAULTS_FOLDER": str(self.faults)}
        self.fleet = Fleet(folder, settings)

    def arm(self, text: str) -> None:
        draft = self.faults / "draft"
        draft.write_text(f"# {uuid.uuid4().hex}\n{text}\n")
        draft.replace(self.faults / "armed")

    def met(self) -> int:
        return sum(not path.read_text().endswith("-\n") for path in self.faults.glob("*.[0-9]*"))

    def disarm(self) -> None:
        (self.faults / "armed").unlink(missing_ok=True)
        for marker in self.faults.glob("*.[0-9]*"):
            marker.unlink()

    def kept(self, run: Run) -> list[str]:
        """What is kept of the steps of this run's workflow."""
        folder = self.fleet.data / "storage" / ".steps" / "default" / run.state.execution.workflow_id
        return [path.name for path in folder.rglob("*") if path.is_file()]


class Job:
    """One workflow of two counting steps over a folder."""

    def __init__(self, counted: Counted, folder: Path, **files: str) -> None:
        self.counted = counted
        self.counts = folder / "counts"
        self.counts.mkdir()
        self.source = fill(folder / "in", {f"{name}.txt": text for name, text in files.items()})
        self.name = f"workflow-{uuid.uuid4().hex[:8]}"

    def begin(self, **second: str) -> Run:
        tools = [self.tool("first"), self.tool("second", **second)]
        return self.counted.fleet.begin(self.source, *tools, name=self.name)

    def tool(self, name: str, **more: str) -> dict[str, Any]:
        return {"tool": name, "settings": {"folder": str(self.counts), "name": name, **more}}

    def ran(self) -> Counter[str]:
        """How often each step ran for each document."""
        return Counter(path.name.rsplit(".", 2)[0] for path in self.counts.glob("*.run"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    counted = Counted(tmp_path_factory.mktemp("resume"))
    yield counted
    counted.fleet.stop()


@pytest.fixture
def counted(shared: Counted) -> Iterator[Counted]:
    yield shared
    shared.disarm()


def results(run: Run) -> dict[str, Any]:
    """What is at the destination, by path."""
    rows = [row for row in run.rows() if row["status"] == "SUCCESS"]
    assert len(rows) == len({row["file_path"] for row in rows}), "delivered twice"
    return {row["file_path"]: json.loads(row["data"])["result"] for row in rows}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("tool.before(a.txt)=kill@2", id="before-the-second-step"),
        pytest.param("tool.done(a.txt)=kill@2", id="after-the-second-step"),
        pytest.param("delivery.before(a.txt)=kill@1", id="before-the-delivery"),
        pytest.param("delivery.written(a.txt)=kill@1", id="after-the-delivery"),
        pytest.param("report.sent=kill@1", id="after-the-report"),
    ],
)
def test_a_killed_worker_runs_no_finished_step_again(counted: Counted, tmp_path: Path, fault: str) -> None:
    job = Job(counted, tmp_path, a="document")
    counted.arm(fault)
    run = job.begin().wait()
    # The last report ends the run; the worker dies a moment after it.
    until(lambda: counted.met() == 1, what="nobody was killed")
    assert run.status == "COMPLETED" and results(run) == {"a.txt": "document first second"}
    assert job.ran() == {"first.a.txt": 1, "second.a.txt": 1}
    if not fault.startswith("report.sent"):
        until(lambda: not counted.kept(run), what=f"results were left: {counted.kept(run)}")


def test_a_worker_killed_while_a_step_runs_repeats_that_step_alone(counted: Counted, tmp_path: Path) -> None:
    job = Job(counted, tmp_path, a="document")
    (job.counts / "second.hold").touch()
    run = job.begin()
    until(lambda: job.ran()["second.a.txt"] == 1)
    for child in pool_children(counted.fleet.worker("file_processing")):
        os.kill(child, signal.SIGKILL)
    (job.counts / "second.hold").unlink()
    run.wait()
    assert run.status == "COMPLETED" and len(run.rows()) == 1
    assert job.ran()["first.a.txt"] == 1 and job.ran()["second.a.txt"] <= 2


def test_a_retry_takes_up_what_failed_and_pays_only_for_what_failed(counted: Counted, tmp_path: Path) -> None:
    job = Job(counted, tmp_path, a="one", b="two", c="three")
    for name in ("a", "c"):
        (job.counts / f"second.{name}.txt.fail").touch()
    run = job.begin().wait()
    assert run.statuses == {"a.txt": "ERROR", "b.txt": "COMPLETED", "c.txt": "ERROR"}
    before = run.rows()
    (job.counts / "second.a.txt.fail").unlink()
    fill(job.source, {"d.txt": "new"})  # nobody lists it
    answer = _docfleet(counted.fleet, "retry", run.id)
    assert answer.returncode == 0, answer.stderr
    new = Run(counted.fleet, answer.stdout.split(":")[0], run.workflow).wait()
    assert f"retries 2 files of {run.id}" in answer.stdout
    assert new.statuses == {"a.txt": "COMPLETED", "c.txt": "ERROR"}
    assert results(new) == {"a.txt": "one first second"}
    assert run.rows() == before, "rows of the old execution changed"
    assert job.ran() == {f"first.{n}.txt": 1 for n in "abc"} | {
        "second.a.txt": 2,
        "second.b.txt": 1,
        "second.c.txt": 2,
    }
    shown = _docfleet(counted.fleet, "show", run.id).stdout
    assert "retried by" in shown and new.id in shown
    assert run.id in _docfleet(counted.fleet, "show", new.id).stdout
    assert f"retry of {run.id}" in _docfleet(counted.fleet, "list").stdout
    (job.counts / "second.c.txt.fail").unlink()
    last = json.loads(_docfleet(counted.fleet, "retry", new.id, "--failed", "--json").stdout)
    third = Run(counted.fleet, last["execution_id"], run.workflow).wait()
    assert third.statuses == {"c.txt": "COMPLETED"} and last["total_files"] == 1
    for old in (run, new):
        refused = _docfleet(counted.fleet, "retry", old.id)
        assert refused.returncode == 1 and "succeeded in a later execution" in refused.stderr
    assert "no file of execution" in _docfleet(counted.fleet, "retry", third.id).stderr
    until(lambda: not counted.kept(run), what=f"results were left: {counted.kept(run)}")


def test_another_setting_of_the_second_step_runs_that_step(counted: Counted, tmp_path: Path) -> None:
    job = Job(counted, tmp_path, a="document")
    counted.arm("delivery.before(a.txt)=raise@1")
    assert job.begin().wait().statuses == {"a.txt": "ERROR"}
    assert job.begin().wait().statuses == {"a.txt": "COMPLETED"}, "the next run of the workflow takes it up"
    assert job.ran() == {"first.a.txt": 1, "second.a.txt": 1}
    fill(job.source, {"b.txt": "other"})
    counted.arm("delivery.before(b.txt)=raise@1")
    job.begin().wait()
    assert job.begin(shade="blue").wait().statuses == {"b.txt": "COMPLETED"}
    assert job.ran()["first.b.txt"] == 1 and job.ran()["second.b.txt"] == 2


def test_stopped_files_are_retried(counted: Counted, tmp_path: Path) -> None:
    job = Job(counted, tmp_path, **{f"f{number}": "document" for number in range(6)})
    (job.counts / "second.hold").touch()
    run = job.begin()
    until(lambda: any(name.startswith("second") for name in job.ran()))
    running = _docfleet(counted.fleet, "retry", run.id)
    assert running.returncode == 1 and "EXECUTING" in running.stderr
    counted.fleet.client.stop_execution(run.id, wait=10)
    run.wait()
    (job.counts / "second.hold").unlink()
    answer = counted.fleet.client.retry_execution(run.id)
    assert answer.total_files == run.state.counts["STOPPED"] > 0
    new = Run(counted.fleet, answer.execution_id, run.workflow).wait()
    assert set(new.statuses.values()) == {"COMPLETED"}
    assert all(count == 1 for name, count in job.ran().items() if name.startswith("first")), job.ran()


def test_what_an_api_failed_at_is_retried_without_sending_it_again(counted: Counted, tmp_path: Path) -> None:
    job, fleet = Job(counted, tmp_path), counted.fleet
    api = Published.publish(fleet, job.tool("first"), job.tool("second"))
    (job.counts / "second.b.txt.fail").touch()
    call = api.post(("a.txt", "one"), ("b.txt", "two"), headers=BETTER, timeout="60").body["message"]
    assert _answers(call["result"]) == {"a.txt": "one first second", "b.txt": None}
    until(lambda: _stored(counted, call["execution_id"]) == ["uploads"], what="working folders are left")
    (job.counts / "second.b.txt.fail").unlink()
    answer = _docfleet(fleet, "retry", call["execution_id"])
    assert answer.returncode == 0, answer.stderr
    new = answer.stdout.split(":")[0]
    until(lambda: fleet.client.execution(new).execution.status.is_final)
    assert _answers(api.poll(new, BETTER).body["message"]) == {"b.txt": "two first second"}
    assert job.ran() == {"first.a.txt": 1, "first.b.txt": 1, "second.a.txt": 1, "second.b.txt": 2}
    until(lambda: _stored(counted, new) == [], what="the retry left something")


def _answers(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The result of each file of an API's call, by name."""
    return {item["file"]: (item["result"] or {}).get("output") for item in items}


def _stored(counted: Counted, execution_id: str) -> list[str]:
    """What the execution's folder holds."""
    return [path.name for path in (counted.fleet.data / "storage").glob(f"*/*/{execution_id}/*")]


def _docfleet(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOCFLEET, "executions", *arguments, "--data", str(fleet.data)],
        env={**plain_environment(), "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
