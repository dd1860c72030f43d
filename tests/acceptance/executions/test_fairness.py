"""A run does not starve a call, nor one organization another: counted in files, never in seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.cli.management import ManagementClient
from tests.acceptance.fleet import Fleet, Run, Stage, fill
from tests.acceptance.published import Published
from tests.waiting import until

NAP = "nap 0.2"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {
        "FILE_PROCESSING_CONCURRENCY": "2",
        "QUANTUM_SECONDS": "0.5",
        # No sweep sends again what a batch lost.
        "DISPATCH_DEADLINE_SECONDS": "600",
    }
    made = Fleet(tmp_path_factory.mktemp("fair"), settings)
    yield made
    made.stop()


def completed(run: Run) -> int:
    return run.state.counts.get("COMPLETED", 0)


def test_a_call_is_answered_while_a_run_holds_all_slots(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {f"{n}.txt": "wait" for n in range(6)}), stage.tool)
    stage.await_starts(2)
    answer = Published.publish(fleet, {"tool": "actor"}).post(("a.txt", "call"), timeout="60")
    assert answer.body["message"]["execution_status"] == "COMPLETED"
    assert completed(run) == 0 and len(stage.started()) == 2
    shared, reserved = fleet.worker("file_processing"), fleet.service("--concurrency", "1")
    assert os.getpriority(os.PRIO_PROCESS, reserved) < os.getpriority(os.PRIO_PROCESS, shared)
    stage.open()
    run.wait()
    assert set(run.statuses.values()) == {"COMPLETED"} and len(run.rows()) == 6


def test_one_file_of_another_organization_does_not_wait_for_a_flood(fleet: Fleet, tmp_path: Path) -> None:
    names = [f"{number:03}.txt" for number in range(120)]
    flood = fleet.begin(fill(tmp_path / "in", dict.fromkeys(names, NAP)), "actor")
    until(lambda: completed(flood) >= 4, what="the flood did not begin")
    other = ManagementClient(fleet.addresses, "other")
    other.put_organization()
    fill(tmp_path / "small", {"a.txt": "small"})
    into = {"connector": "sqlite", "settings": {"path": str(tmp_path / "small.db")}, "table": "results"}
    document = {
        "name": "small",
        "source": {"connector": "local", "settings": {"path": str(tmp_path / "small")}},
        "tools": [{"tool": "actor"}],
        "destination": into,
    }
    small = other.create_execution(other.put_workflow(document), use_file_history=False)
    until(lambda: other.execution(small).execution.status.is_final, what="the small run did not end")
    assert other.execution(small).counts["COMPLETED"] == 1
    assert completed(flood) < len(names) / 2, "it waited for the flood"
    assert fleet.log("file_processing").count("batch.yielded") >= 1
    flood.wait()
    assert flood.statuses == dict.fromkeys(names, "COMPLETED")
    assert len(flood.rows()) == len(names)
    flood.assert_cleaned()


def test_executions_of_one_organization_take_turns(fleet: Fleet, tmp_path: Path) -> None:
    sources = [
        fill(tmp_path / name, {f"{name}-{n:02}.txt": NAP for n in range(30)}) for name in ("one", "two", "three")
    ]
    runs = [fleet.begin(source, "actor") for source in sources]
    until(lambda: all(completed(run) for run in runs), what="one of them waited for the end of another")
    assert not any(run.state.execution.status.is_final for run in runs)
    for run in runs:
        run.wait()
        assert set(run.statuses.values()) == {"COMPLETED"} and len(run.rows()) == 30
        run.assert_cleaned()
