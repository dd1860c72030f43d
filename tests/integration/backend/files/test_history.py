"""File history and files that are active in another execution."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from docfleet.backend.executions import register


def test_what_runs_while_its_workflow_changes_leaves_no_answer_for_later_calls(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"), use_file_history="true")
    ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}, "name": "w-invoices"}
    api.workflow(**ends, tools=[{"tool": "passthrough", "settings": {"copy": False}}])
    invoices.work(run)
    later = invoices.call(("a.txt", b"one"), use_file_history="true")
    invoices.work(later)
    assert "from_file_history" not in invoices.get(later)["message"][0]["metadata"]
    again = invoices.call(("a.txt", b"one"), use_file_history="true")
    assert invoices.work(again)["reason"] in ("nothing_open", "already_final")
    assert invoices.get(again)["message"][0]["metadata"]["from_file_history"] is True


def test_known_content_is_known_in_its_own_organization_only(api: Any) -> None:
    here, other = api.publish(), api.other()
    there = other.publish()
    here.work(here.call(("a.txt", b"one"), use_file_history="true"))
    run = there.call(("a.txt", b"one"), use_file_history="true")
    there.work(run)
    assert "from_file_history" not in there.get(run)["message"][0]["metadata"]


def test_known_content_is_answered_from_the_history(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"), use_file_history="true")
    invoices.work(run)
    again = invoices.call(("other.txt", b"one"), ("new.txt", b"two"), use_file_history="true")
    invoices.work(again)
    known, new = invoices.get(again)["message"]
    assert known["metadata"]["from_file_history"] is True and known["metadata"]["source_name"] == "other.txt"
    assert known["metadata"]["execution_id"] == again.id and known["result"] == {"output": {"text": "a.txt"}}
    assert "from_file_history" not in new["metadata"]
    third = invoices.call(("x.txt", b"two"), use_file_history="true")
    assert invoices.work(third)["reason"] == "nothing_open"
    assert invoices.get(third)["message"][0]["metadata"]["from_file_history"] is True
    fourth = invoices.call(("x.txt", b"two"))
    invoices.work(fourth)
    assert "from_file_history" not in invoices.get(fourth)["message"][0]["metadata"]
    # A workflow that changed answers nothing from before.
    ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}, "name": "w-invoices"}
    api.workflow(**ends, description="changed")
    fifth = invoices.call(("x.txt", b"two"), use_file_history="true")
    invoices.work(fifth)
    assert "from_file_history" not in invoices.get(fifth)["message"][0]["metadata"]


def test_a_failed_file_is_run_again_next_time(api: Any) -> None:
    invoices = api.publish()
    for _ in range(5):
        run = invoices.call(("a.txt", b"one"), use_file_history="true")
        invoices.work(run, {"a.txt": "broken"})
        assert invoices.get(run, status=422)["message"][0]["error"] == "broken"


DAY = 86_400


def _finish(run: Any, status: str = "COMPLETED") -> None:
    while held := run.take(100):
        run.report(held, status=status)


def _skipped(api: Any, workflow: str, files: list[Any], **body: Any) -> dict[str, int]:
    run = api.run(workflow, **body)
    found = run.register(files).get("skipped", {})
    run.finalize(error="test over")
    return dict(found)


def test_completed_files_are_not_taken_again(api: Any) -> None:
    workflow = api.workflow()
    files = api.documents(3)
    _finish(api.run(workflow).ready(files))
    again = api.run(workflow)
    again.register([*files, {"file_name": "new.pdf", "file_path": "new.pdf"}])
    assert again.state()["skipped"] == {"already_processed": 3}
    assert [file["name"] for file in again.files()] == ["new.pdf"]
    assert again.state()["execution"]["skipped_files"] == 3


def test_history_is_off_where_the_run_or_the_workflow_says_so(api: Any) -> None:
    files = api.documents(2)
    workflow = api.workflow()
    _finish(api.run(workflow).ready(files))
    assert _skipped(api, workflow, files, use_file_history=False) == {}
    workflow = api.workflow(name="without", use_file_history=False)
    _finish(api.run(workflow).ready(files))
    assert _skipped(api, workflow, files) == {}


def test_a_changed_or_moved_file_is_another_file(api: Any) -> None:
    workflow = api.workflow()
    entry = {"file_name": "a.pdf", "file_path": "a.pdf", "file_size": 5, "fs_metadata": {"modified_at": 1.0}}
    _finish(api.run(workflow).ready([entry]))
    assert _skipped(api, workflow, [entry]) == {"already_processed": 1}
    assert _skipped(api, workflow, [entry | {"fs_metadata": {"modified_at": 2.0}}]) == {}
    hashed = {"file_name": "b.pdf", "file_path": "b.pdf", "file_hash": "same-content"}
    _finish(api.run(workflow).ready([hashed]))
    assert _skipped(api, workflow, [hashed | {"file_path": "elsewhere/b.pdf"}]) == {}


def test_history_of_another_workflow_does_not_count(api: Any) -> None:
    files = api.documents(1)
    _finish(api.run(api.workflow(name="one")).ready(files))
    assert _skipped(api, api.workflow(name="two"), files) == {}


def test_failed_files_are_tried_again_until_the_limit(api: Any) -> None:
    workflow = api.workflow(max_file_execution_count=2)
    files = api.documents(1)
    for _ in range(2):
        _finish(api.run(workflow).ready(files), "ERROR")
    assert _skipped(api, workflow, files) == {"attempts_exhausted": 1}


def test_stopped_files_are_not_counted(api: Any) -> None:
    workflow = api.workflow(max_file_execution_count=1)
    files = api.documents(1)
    _finish(api.run(workflow).ready(files), "STOPPED")
    assert _skipped(api, workflow, files) == {}


@pytest.mark.parametrize(("age_days", "skipped"), [(29, {"already_processed": 1}), (31, {})])
def test_history_expires_after_the_interval(api: Any, age_days: int, skipped: dict[str, int]) -> None:
    source = api.spec()["source"] | {
        "fileReprocessingHandling": "reprocess_after_interval",
        "reprocessInterval": 1,
        "intervalUnit": "months",
    }
    workflow = api.workflow(source=source)
    files = [{"file_name": "a.pdf", "file_path": "a.pdf", "provider_file_uuid": "u1"}]
    _finish(api.run(workflow).ready(files))
    age = {"w": workflow, "s": age_days * DAY}
    api.write("UPDATE file_history SET modified_at = modified_at - :s WHERE workflow_id = :w", **age)
    asked = {"workflow_id": workflow, "files": [{"provider_file_uuid": "u1", "file_path": "a.pdf", "identifier": "i"}]}
    found = api.post("/internal/v1/file-history/batch-lookup/", asked)["file_histories"]["i"]
    assert found["is_completed"] is bool(skipped)
    assert _skipped(api, workflow, files) == skipped


def test_files_of_another_running_execution_are_left_to_it(api: Any) -> None:
    workflow = api.workflow()
    files = api.documents(2)
    first = api.run(workflow).ready(files)
    second = api.run(workflow)
    assert second.register(files, page=1)["skipped"] == {"active_elsewhere": 2}
    check = {
        "workflow_id": workflow,
        "current_execution_id": second.id,
        "files": [{"uuid": claim["file"]["file_key"], "path": claim["file"]["file_path"]} for claim in first.take(2)],
    }
    for path in ("check-active", "check-active/"):
        answer = api.post(f"/internal/v1/workflow-manager/file-execution/{path}", check)
        assert answer["total_active"] == 2
    assert (
        api.post(
            "/internal/v1/workflow-manager/file-execution/check-active", check | {"current_execution_id": first.id}
        )["total_active"]
        == 0
    )
    api.post(f"/api/v1/executions/{first.id}/stop?abandoned=true")
    assert second.register(files, page=2)["registered"] == 2


def test_what_was_delivered_when_the_stop_came_is_not_taken_again(api: Any) -> None:
    workflow = api.workflow()
    files = api.documents(3)
    first = api.run(workflow).ready(files)
    delivered, failed, _ = first.take(3)
    api.post(f"/api/v1/executions/{first.id}/stop?wait=0")
    first.report([delivered])
    first.report([failed], status="ERROR")
    assert [file["status"] for file in first.files()] == ["COMPLETED", "ERROR", "EXECUTING"]
    assert _skipped(api, workflow, files) == {"already_processed": 1, "active_elsewhere": 1}


def test_a_row_without_path_stands_for_the_file_anywhere(api: Any) -> None:
    workflow = api.workflow()
    body = {"workflow_id": workflow, "file_hash": "h1", "is_api": True, "file_path": "x", "status": "COMPLETED"}
    created = api.post("/internal/v1/file-history/create/", body | {"result": {"a": 1}}, status=201)
    assert created["file_history"]["result"] == '{"a":1}' and created["file_history"]["file_path"] is None
    entry = {"file_name": "q", "file_path": "any/q", "file_hash": "h1"}
    assert _skipped(api, workflow, [entry]) == {"already_processed": 1}
    found = api.get(f"/internal/v1/file-history/cache-key/h1/?workflow_id={workflow}&file_path=any/q")
    assert found["found"] is True and found["file_history"]["execution_count"] == 1
    api.post("/internal/v1/file-history/create/", body | {"status": "ERROR"}, status=201)
    found = api.get(f"/internal/v1/file-history/cache-key/h1/?workflow_id={workflow}")
    assert (found["file_history"]["status"], found["file_history"]["execution_count"]) == ("ERROR", 2)
    assert api.get(f"/internal/v1/file-history/cache-key/none/?workflow_id={workflow}")["found"] is False


def test_a_file_that_another_run_ends_while_it_is_registered_is_left_out(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two places is read first: the report falls between the readings."""
    workflow = fresh_api.workflow()
    files = fresh_api.documents(2)
    one = fresh_api.run(workflow).ready(files)
    held = one.take(2)

    def reporting(reading: Any, claim: Any) -> Any:
        def read(*arguments: Any) -> Any:
            if fresh_api.database.engine.dialect.name == "sqlite":  # which has one writer: it reports before
                return reading(*arguments)
            if claim in held:
                held.remove(claim)
                thread = threading.Thread(target=one.report, args=([claim],))
                thread.start()
                thread.join()
            return reading(*arguments)

        return read

    monkeypatch.setattr(register, "active_elsewhere", reporting(register.active_elsewhere, held[0]))
    monkeypatch.setattr(register.history, "lookup", reporting(register.history.lookup, held[1]))
    two = fresh_api.run(workflow)
    answer = two.register(files)
    assert answer.get("registered", 0) == 0 and sum(answer["skipped"].values()) == 2
