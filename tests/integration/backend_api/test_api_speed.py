"""What makes a run cheap: the start comes with the registration, the context with the claim."""

from __future__ import annotations

from typing import Any

START = {"batch_count": 2, "q_file_no_list": [1]}


def register(run: Any, files: list[Any], **more: Any) -> Any:
    return run.api.post(f"{run.path}/files/register/", {"page": 1, "files": files, "start": START, **more})


def test_a_page_that_is_the_whole_listing_starts_the_execution(api: Any) -> None:
    run = api.run()
    files = api.documents(2)
    assert register(run, files)["started"] == {"status": "started", "total_files": 2}
    assert len(run.take()) == 2
    # An answer that was lost is asked for again: nobody sends the batches twice.
    assert register(run, files)["started"] == {"status": "skipped", "total_files": 2, "reason": "already_started"}


def test_a_page_whose_files_were_not_all_registered_starts_nothing(api: Any) -> None:
    run = api.run()
    answer = register(run, api.documents(3), limit=2)
    assert answer["total_files"] == 2 and "started" not in answer
    assert run.start() == {"status": "started", "total_files": 2}


def test_an_execution_that_is_final_is_not_started(api: Any) -> None:
    run = api.run()
    run.register(api.documents(1))
    api.post(f"/api/v1/executions/{run.id}/stop")
    answer = register(run, api.documents(1))
    assert answer["stop"] and "started" not in answer


def test_a_call_whose_files_are_all_refused_ends_with_its_registration(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"text"))
    message = next(sent for sent in api.recorder.sent if sent[1][2] == run.id)
    files = [{**file, "rejection": "unsupported"} for file in message[1][3].values()]
    answer = register(run, files)
    assert answer["started"] == {"status": "skipped", "total_files": 1, "reason": "nothing_open"}
    assert run.status == "ERROR"


def test_a_claim_brings_the_context_when_it_is_asked_for(api: Any) -> None:
    run = api.run().ready(2)
    assert "context" not in run.claim(limit=1)
    claimed = run.claim(limit=1, with_context=True)
    given, asked = claimed["context"], api.get(f"{run.path}/")
    assert len(claimed["claims"]) == 1
    assert given["execution"]["id"] == run.id and given["tool_instances"][0]["tool_id"] == "passthrough"
    # The claim leaves defaults out.
    for part in ("source_config", "destination_config", "organization_context", "workflow_definition"):
        assert given[part].items() <= asked[part].items()
    # Not dispatched yet: a listing that breaks ends it.
    run = api.run()
    run.register(api.documents(1))
    run.finalize(error="the source broke")
    late = run.claim(with_context=True)
    assert late["stop"] and late["context"]["execution"]["status"] == "ERROR"
