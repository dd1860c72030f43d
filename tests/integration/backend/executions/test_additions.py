"""Files that batches of another orchestrator add: written once, and the execution ends when all batches have."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.server import documents
from tests.integration.backend.sweeps import sweep

DISPATCH_SECONDS = 10_000.0


def add(run: Any, files: list[Any], **more: Any) -> Any:
    workflow = run.state()["execution"]["workflow_id"]
    return run.api.post(f"{run.path}/files/add/", {"workflow_id": workflow, "files": files}, **more)


def test_files_are_written_once_and_answered_in_order(api: Any) -> None:
    run = api.run()
    first = add(run, documents(2))["file_execution_ids"]
    assert [file["file_execution_id"] for file in run.files()] == first and run.status == "EXECUTING"
    # Of another batch, of the same one again, and of one that knows the same file by other facts.
    again = add(run, [*documents(3, x=1), {"file_name": "f1.pdf", "file_path": "f1.pdf", "file_hash": "abc"}])
    third = run.files()[-1]["file_execution_id"]
    assert again["file_execution_ids"] == [*first, third, first[0]]
    assert run.state()["progress"] == {"total": 3, "done": 0, "open": 3, "listing_complete": False, "percent": 0.0}


def test_an_execution_does_not_end_before_its_last_batch(api: Any) -> None:
    run = api.run()
    for folder in ("a/", "b/"):
        ids = add(run, documents(1, folder))["file_execution_ids"]
        run.report(run.claim(file_execution_ids=ids)["claims"])
        assert run.status == "EXECUTING"
        assert run.finalize()["finalized"] is False  # a callback that knows nothing of the batches
    assert run.finalize(batches_ended=True)["finalized"] is True
    assert run.status == "COMPLETED"


def test_the_end_of_the_batches_waits_for_open_files(api: Any) -> None:
    run = api.run()
    ids = add(run, documents(2))["file_execution_ids"]
    held = run.claim(file_execution_ids=ids)["claims"]
    run.report(held[:1])
    assert run.finalize(batches_ended=True)["open_files"] == 1
    assert run.status == "EXECUTING"
    run.report(held[1:])
    assert run.status == "COMPLETED"


def test_a_listing_that_nobody_closes_is_closed_by_the_sweep(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.report(run.claim(file_execution_ids=add(run, documents(1))["file_execution_ids"])["claims"])
    assert sweep(fresh_api)["finalized"] == 0
    run.age(DISPATCH_SECONDS)
    assert sweep(fresh_api)["finalized"] == 1
    assert run.status == "COMPLETED"


def test_files_that_were_added_and_lost_are_sent_again(fresh_api: Any) -> None:
    run = fresh_api.run()
    add(run, documents(1))
    run.age(DISPATCH_SECONDS)
    assert sweep(fresh_api)["redispatched_executions"] == 1
    assert [sent[0] for sent in fresh_api.recorder.sent] == ["process_file_batch"]


def test_an_orchestrator_of_ours_lists_its_source_all_the_same(api: Any) -> None:
    """A stray batch must not make a run smaller than its source."""
    run = api.run()
    add(run, documents(1, "stray/"))
    assert run.register(documents(2))["registered"] == 2
    assert run.start() == {"status": "started", "total_files": 3, "batches": 1}
    assert run.start()["reason"] == "already_started"
    run.report(run.take())
    assert run.status == "COMPLETED" and len(run.files()) == 3


def test_a_batch_that_comes_while_the_source_is_listed_does_not_close_the_listing(api: Any) -> None:
    run = api.run()
    run.register(documents(2))
    add(run, documents(1, "stray/"))
    assert run.register(documents(1, "b/"), page=2)["registered"] == 1
    assert run.start() == {"status": "started", "total_files": 4, "batches": 1}


def test_what_another_execution_works_on_is_left_out(api: Any) -> None:
    workflow = api.workflow()
    api.run(workflow).ready(1)
    run = api.run(workflow)
    answer = add(run, documents(2))
    assert answer["file_execution_ids"] == ["", run.files()[0]["file_execution_id"]]
    assert answer["skipped"] == run.state()["skipped"] == {"active_elsewhere": 1}
    nothing = api.run(workflow)
    add(nothing, documents(1))
    nothing.finalize(batches_ended=True)
    assert (nothing.status, nothing.state()["execution"]["empty_reason"]) == ("COMPLETED", "all_filtered")


def test_nothing_is_added_to_an_execution_that_has_ended_or_is_another_s(api: Any) -> None:
    run = api.run()
    api.post(f"/api/v1/executions/{run.id}/stop")
    assert add(run, documents(1)) == {"status": "STOPPED", "stop": True}
    assert run.files() == []
    run = api.run()
    answer = run.api.post(f"{run.path}/files/add/", {"workflow_id": "other", "files": documents(1)}, status=400)
    assert "is not the one of execution" in answer["detail"]
    api.other().post(f"{run.path}/files/add/", {"workflow_id": "x", "files": documents(1)}, status=404)
    assert run.files() == []


def test_a_claim_of_files_that_are_none_of_the_execution_says_so(api: Any) -> None:
    run = api.run().ready(1)
    ids = [file["file_execution_id"] for file in run.files()]
    answer = run.claim(file_execution_ids=[*ids, "00000000-0000-0000-0000-000000000000"])
    assert len(answer["claims"]) == 1 and answer["unknown"] == 1


def test_the_history_is_used_as_the_message_says(api: Any) -> None:
    workflow = api.workflow()
    first = api.run(workflow).ready(1)
    first.report(first.take())
    for requested, registered in ((None, 0), (True, 0), (False, 1)):
        run = api.run(workflow)
        body = {"page": 1, "files": documents(1), "use_file_history": requested}
        assert run.api.post(f"{run.path}/files/register/", body)["registered"] == registered, requested
        context = api.get(f"{run.path}/")
        assert context["use_file_history"] is (requested is not False)
