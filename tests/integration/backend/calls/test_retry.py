"""Retry of an ended execution: its failed and stopped files, and nothing else, as a new execution."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from docfleet.core.storage import steps_folder
from docfleet.tools.registry import ToolRegistry

GONE = "00000000-0000-4000-8000-000000000000"


def retry(run: Any, *, status: int | None = 201, **headers: str) -> Any:
    return run.api.post(f"/api/v1/executions/{run.id}/retry", status=status, **headers)


def again(run: Any, **headers: str) -> Any:
    return run.api.execution(retry(run, **headers)["execution_id"])


def ended(api: Any, *statuses: str, workflow: str | None = None, **body: Any) -> Any:
    """An execution whose files (f1.pdf, ...) ended so."""
    run = api.run(workflow, **body).ready(len(statuses))
    finish(run, *statuses)
    return run


def finish(run: Any, *statuses: str) -> None:
    outcomes = [run.api.outcome(claim, status) for claim, status in zip(run.take(), statuses, strict=True)]
    run.report(outcomes=outcomes)


def names(run: Any) -> list[str]:
    return [file["name"] for file in run.files()]


def test_only_what_failed_or_was_stopped_is_taken_up(api: Any) -> None:
    run = api.run(tags=["t"]).ready([*api.documents(3), {"file_name": "no.pdf", "file_path": "no", "rejection": "bad"}])
    claims = run.take()
    run.report(outcomes=[api.outcome(claims[0]), api.outcome(claims[1], "ERROR")], release=[])
    api.post(f"/api/v1/executions/{run.id}/stop?abandoned=true")
    assert run.status == "STOPPED"
    before = run.files()
    answer = retry(run)
    new = api.execution(answer["execution_id"])
    assert answer == {
        "execution_id": new.id,
        "status": "PENDING",
        "retry_of": run.id,
        "total_files": 3,
        "skipped": {},
        "listing_complete": True,
    }
    files = new.files()
    assert [(file["file_number"], file["name"], file["status"]) for file in files] == [
        (1, "f2.pdf", "PENDING"),
        (2, "f3.pdf", "PENDING"),
        (3, "no.pdf", "ERROR"),
    ]
    assert not {file["file_execution_id"] for file in files} & {file["file_execution_id"] for file in before}
    assert run.files() == before, "the old execution changed"
    assert new.state()["execution"]["tags"][0]["name"] == "t"


def test_it_runs_like_any_other_and_nothing_can_be_added_to_it(api: Any) -> None:
    new = again(ended(api, "COMPLETED", "ERROR", "ERROR"))
    sent = [(task, args[2]) for task, args, _, _ in api.recorder.sent if args and len(args) > 2]
    assert ("async_execute_bin", new.id) in sent
    context = api.get(f"{new.path}/")["execution"]
    assert context["total_files"] == 2 and context["retry_of"]
    # A worker of the version before lists the source and offers what it finds.
    assert new.register(api.documents(5)) == {"registered": 0, "total_files": 2, "full": True}
    assert new.start(2) == {"status": "started", "total_files": 2, "batches": 2}
    assert new.status == "EXECUTING"
    finish(new, "COMPLETED", "COMPLETED")
    assert new.status == "COMPLETED" and new.state()["counts"]["COMPLETED"] == 2


def test_links_lead_both_ways(api: Any) -> None:
    run = ended(api, "ERROR")
    assert run.state()["retries"] == [] and run.state()["execution"]["retry_of"] is None
    new = again(run).__class__(api, run.state()["retries"][0])
    assert new.state()["execution"]["retry_of"] == run.id
    listed = {row["id"]: row for row in api.get("/api/v1/executions")["executions"]}
    assert listed[run.id]["retries"] == [new.id] and listed[new.id]["retry_of"] == run.id
    assert listed[new.id]["retries"] == []


def test_a_retry_can_be_retried(api: Any) -> None:
    first = ended(api, "COMPLETED", "ERROR", "ERROR")
    second = again(first)
    second.start()
    finish(second, "COMPLETED", "ERROR")
    third = again(second)
    assert names(third) == ["f3.pdf"]
    third.start()
    finish(third, "COMPLETED")
    for run in (first, second):
        assert "succeeded in a later execution" in retry(run, status=409)["detail"]


def test_a_running_execution_is_refused(api: Any) -> None:
    run = api.run().ready(1)
    assert "EXECUTING" in retry(run, status=409)["detail"]
    assert len(api.get("/api/v1/executions")["executions"]) == 1


@pytest.mark.parametrize("history", [True, False])
def test_nothing_to_retry_is_refused_with_the_reason(api: Any, history: bool) -> None:
    assert "no file of execution" in retry(ended(api, "COMPLETED", use_file_history=history), status=409)["detail"]
    nothing = api.run()
    nothing.finalize(error="the source is away", error_code="source_error")
    detail = retry(nothing, status=409)["detail"]
    assert "the source is away" in detail and "run the workflow again" in detail
    assert len(api.get("/api/v1/executions")["executions"]) == 2, "a refused retry left an execution"


@pytest.mark.parametrize("history", [True, False])
def test_a_file_is_not_retried_twice_at_once_nor_after_it_succeeded(api: Any, history: bool) -> None:
    run = ended(api, "ERROR", "ERROR", use_file_history=history)
    new = again(run)
    assert "2 are under way" in retry(run, status=409)["detail"]
    new.start()
    finish(new, "COMPLETED", "ERROR")
    answer = retry(run)
    assert (answer["total_files"], answer["skipped"]) == (1, {"already_processed": 1})
    third = api.execution(answer["execution_id"])
    assert names(third) == ["f2.pdf"] and third.state()["skipped"] == {"already_processed": 1}


def test_what_another_run_of_the_workflow_did_or_does_is_left_out(api: Any) -> None:
    workflow = api.workflow()
    run = ended(api, "ERROR", "ERROR", "ERROR", workflow=workflow)
    ended(api, "COMPLETED", workflow=workflow)
    api.run(workflow).ready([api.documents(2)[1]])
    answer = retry(run)
    assert answer["skipped"] == {"already_processed": 1, "active_elsewhere": 1} and answer["total_files"] == 1


def test_without_history_a_success_elsewhere_does_not_count(api: Any) -> None:
    workflow = api.workflow()
    run = ended(api, "ERROR", workflow=workflow, use_file_history=False)
    ended(api, "COMPLETED", workflow=workflow, use_file_history=False)
    assert names(again(run)) == ["f1.pdf"]


def test_a_retry_does_not_depend_on_how_often_a_file_failed(api: Any) -> None:
    workflow = api.workflow()
    run = ended(api, "ERROR", workflow=workflow)
    for _ in range(4):
        run = again(run)
        run.start()
        finish(run, "ERROR")
    assert names(again(run)) == ["f1.pdf"]
    assert api.run(workflow).register(api.documents(1))["skipped"], "the history lets every run try it"


def test_a_repeated_call_makes_one_execution(api: Any) -> None:
    run = ended(api, "ERROR")
    first = retry(run, Idempotency_Key="k")
    assert retry(run, status=200, Idempotency_Key="k") == first
    assert len([task for task, args, _, _ in api.recorder.sent if args[2:3] == [first["execution_id"]]]) == 1
    other = ended(api, "ERROR", workflow=api.workflow(name="other"))
    assert retry(other, status=409, Idempotency_Key="k")["code"] == "conflict"


def test_another_organization_finds_nothing(api: Any) -> None:
    run = ended(api, "ERROR")
    other = api.other()
    other.post(f"/api/v1/executions/{run.id}/retry", status=404)
    api.post(f"/api/v1/executions/{GONE}/retry", status=404)
    assert run.state()["retries"] == []


def test_what_was_not_listed_is_reported(api: Any) -> None:
    run = api.run()
    run.register(api.documents(2))
    api.post(f"/api/v1/executions/{run.id}/stop?abandoned=true")
    answer = retry(run)
    assert (answer["total_files"], answer["listing_complete"]) == (2, False)


def test_more_files_than_a_page(api: Any) -> None:
    run = api.run().ready(1203)
    api.post(f"/api/v1/executions/{run.id}/stop?abandoned=true")
    new = again(run)
    assert new.state()["execution"]["total_files"] == 1203 == new.state()["counts"]["PENDING"]


def test_the_sweep_sends_a_retry_whose_message_got_lost(api: Any) -> None:
    new = again(ended(api, "ERROR"))
    api.recorder.sent.clear()
    new.age(500)
    api.post("/internal/v1/sweep/")
    assert [args[2] for task, args, _, _ in api.recorder.sent if task == "async_execute_bin"] == [new.id]


def test_step_results_are_kept_for_their_time(limited_api: Any) -> None:
    api = limited_api(step_results_seconds=1000.0)
    folder = steps_folder(api.folder / "storage", "o", "w")
    (folder / "old.copies" / "sub").mkdir(parents=True)
    for name in ("old", "old.json", "old.counted", "new", "new.json"):
        (folder / name).write_text("x")
    gone = steps_folder(api.folder / "storage", "o", "gone")
    gone.mkdir()
    for path in [*folder.glob("old*"), gone]:
        os.utime(path, (time.time() - 1001,) * 2)
    api.post("/internal/v1/sweep/")
    assert sorted(path.name for path in folder.iterdir()) == ["new", "new.json"] and not gone.exists()


def test_workers_learn_the_version_of_a_tool_that_is_installed(api: Any) -> None:
    run = api.run().ready(1)
    installed = ToolRegistry.load().get("passthrough").version
    api.write("UPDATE tool_instances SET version = '0.0.1'")
    contexts = [api.get(f"{run.path}/"), run.claim(with_context=True)["context"]]
    assert [context["tool_instances"][0]["version"] for context in contexts] == [installed] * 2
