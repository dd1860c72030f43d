"""Two of everything: orchestrators of one execution, callers with one key, reports of one death, faulty rows."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.backend.executions import sweep

SWEEP = "/internal/v1/sweep/"


def test_a_second_orchestrator_that_cannot_list_the_source_ends_nothing(fresh_api: Any) -> None:
    """Its message came twice. The batches of the first are at work, and what they deliver has to count."""
    run = fresh_api.run().ready(2)
    held = run.take(1)
    answer = run.finalize(error="the source does not answer", error_code="source_unavailable")
    assert answer["status"] == "EXECUTING" and answer["open_files"] == 2
    assert run.report(held)["written"] == 1
    run.report(run.take(1))
    assert run.status == "COMPLETED"


def test_a_listing_that_breaks_off_ends_what_it_has_registered(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.register(fresh_api.documents(2))
    assert run.finalize(error="the source vanished")["status"] == "ERROR"
    assert {item["status"] for item in run.files()} == {"ERROR"}


def test_one_execution_that_cannot_be_swept_stops_no_other(fresh_api: Any) -> None:
    """Whatever is wrong with it (here a row nobody can read): the sweep is the last hope of all the others."""
    broken, sound = fresh_api.run().ready(1), fresh_api.run(fresh_api.workflow(name="other")).ready(1)
    for run in (broken, sound):
        run.take(1)
        run.expire_leases()
    fresh_api.write("UPDATE file_executions SET data = '[]' WHERE execution_id = :e", e=broken.id)
    fresh_api.recorder.sent.clear()
    done = fresh_api.post(SWEEP)
    assert [args[0]["file_data"]["execution_id"] for _, args, *_ in fresh_api.recorder.sent] == [sound.id]
    assert done["redispatched_files"] == 1 and done["failed"] == 1
    assert fresh_api.post(SWEEP)["failed"] == 1, "the lease of the sweep was kept"


def test_what_cannot_be_recovered_yet_does_not_keep_a_sweep_from_what_can(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep looks at so many executions of a kind, those that were quiet for longest first."""
    monkeypatch.setattr(sweep, "MOST_EXECUTIONS", 2)
    workflow = fresh_api.workflow()
    runs = [fresh_api.run(workflow, use_file_history=False).ready([{"file_name": n, "file_path": n}]) for n in "abc"]
    for run in runs:
        run.take(1)
        run.expire_leases()
    handed_out = {"redispatched_files": 2}, {"redispatched_files": 1}, {"redispatched_files": 0}
    for expected in handed_out:
        assert fresh_api.post(SWEEP).items() >= expected.items()


def test_stops_that_wait_for_their_workers_do_not_keep_a_sweep_from_ending_others(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MOST_EXECUTIONS", 2)
    workflow = fresh_api.workflow()
    runs = [fresh_api.run(workflow, use_file_history=False).ready([{"file_name": n, "file_path": n}]) for n in "abc"]
    for run in runs:
        run.take(1)
        fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    runs[2].expire_leases()
    assert fresh_api.post(SWEEP)["finalized"] == 1
    assert [run.status for run in runs] == ["EXECUTING", "EXECUTING", "STOPPED"]
