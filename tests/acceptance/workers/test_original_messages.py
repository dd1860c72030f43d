"""Messages as the original's backend and orchestrator send them are served, or the execution's log says why not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chord

from docfleet.cli.workflow_file import WorkflowFile
from tests.acceptance.fleet import Fleet, Run, fill
from tests.acceptance.published import request
from tests.waiting import until

BATCH = "process_file_batch"


@pytest.fixture(scope="module")
def broker(redis_broker: str) -> str:
    return redis_broker


@pytest.fixture(scope="module")
def fleet(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("original")
    results = broker.replace("virtual_host=0", "virtual_host=1")
    fleet = Fleet(folder, {"CELERY_BROKER_BASE_URL": broker, "CELERY_RESULT_BACKEND": results})
    yield fleet
    fleet.stop()


@pytest.fixture(scope="module")
def app(broker: str) -> Iterator[Celery]:
    """The original's side: an app with kombu's JSON, which writes UUID objects as such."""
    results = broker.replace("virtual_host=0", "virtual_host=1")
    with Celery(broker=broker, backend=results, set_as_current=False) as app:
        yield app


def written(fleet: Fleet, source: Path, **workflow: Any) -> Run:
    """An execution that the original's scheduler writes and means to send itself."""
    document = {
        "name": f"workflow-{uuid.uuid4().hex[:12]}",
        "source": {"connector": "local", "settings": {"path": str(source)}},
        "tools": [{"tool": "actor"}],
        "destination": {
            "connector": "sqlite",
            "settings": {"path": str(source.parent / f"{source.name}.db")},
            "table": "results",
        },
        **workflow,
    }
    workflow_id = fleet.client.put_workflow(document)
    answer = request(
        f"{fleet.addresses.backend_url}/internal/v1/workflow-manager/execution/create/",
        "POST",
        json.dumps({"workflow_id": workflow_id}),
        {
            "Authorization": f"Bearer {fleet.addresses.key}",
            "X-Organization-ID": "default",
            "Content-Type": "application/json",
        },
    )
    described = WorkflowFile(path=Path("test.yaml"), name=document["name"], document=document, use_file_history=True)
    return Run(fleet, answer.body["execution_id"], described)


def original_batch(run: Run, *names: str, **more: Any) -> dict[str, Any]:
    """The message of a batch, field by field as the original writes it (``None`` where it has nothing)."""
    review = {"review_required": False, "review_percentage": 0, "rule_logic": None, "rule_json": None}
    return {
        "files": [[name, original_file(name)] for name in names],
        "file_data": {
            "workflow_id": run.state.execution.workflow_id,
            "execution_id": run.id,
            "organization_id": "default",
            "pipeline_id": "None",
            "single_step": False,
            "scheduled": False,
            "execution_mode": None,
            "use_file_history": True,
            "q_file_no_list": [],
            "source_config": {},
            "destination_config": {},
            "hitl_queue_name": None,
            "hitl_packet_id": None,
            "manual_review_config": {**review, "file_decisions": []},
            "is_manualreview_required": False,
            "llm_profile_id": None,
            "tags": [],
            "custom_data": None,
            **more,
        },
    }


def original_file(name: str) -> dict[str, Any]:
    return {
        "file_name": name,
        "file_path": name,
        "file_hash": "",
        "file_size": 5,
        "mime_type": "text/plain",
        "provider_file_uuid": f"uuid-of-{name}",
        "fs_metadata": {},
        "source_connection_type": "FILESYSTEM",
        "file_destination": "DESTINATION",
        "is_executed": False,
        "file_number": 1,
        "connector_metadata": {"path": "/"},
        "connector_id": "local",
        "use_file_history": True,
        "is_manualreview_required": False,
    }


def lines(run: Run) -> str:
    return "\n".join(line.log for line in run.fleet.client.logs(run.id))


def test_a_batch_of_the_original_is_processed_into_its_execution(fleet: Fleet, app: Celery, tmp_path: Path) -> None:
    run = written(fleet, fill(tmp_path / "in", {"a.txt": "one", "b.txt": "", "c.txt": "three"}))
    sent = app.send_task(BATCH, [original_batch(run, "a.txt", "b.txt")], queue="file_processing")
    result = sent.get(timeout=60)
    assert (result["total_files"], result["successful_files"], result["failed_files"]) == (2, 1, 1)
    run.wait()
    assert run.statuses == {"a.txt": "COMPLETED", "b.txt": "ERROR"}
    assert [(row["file_path"], row["status"]) for row in run.rows()] == [("a.txt", "SUCCESS"), ("b.txt", "ERROR")]
    until(lambda: "2 files came with a batch of another orchestrator" in lines(run), what="its log does not say so")
    run.assert_cleaned()


def test_a_chord_of_the_original_ends_when_all_its_batches_have(fleet: Fleet, app: Celery, tmp_path: Path) -> None:
    names = [f"{number:02}.txt" for number in range(9)]
    run = written(fleet, fill(tmp_path / "in", dict.fromkeys([*names, "nobody-named-it.txt"], "text")))
    headers = [
        app.signature(BATCH, args=[original_batch(run, *names[start::3])], queue="file_processing", app=app)
        for start in range(3)
    ]
    kwargs = {"execution_id": run.id, "organization_id": "default", "pipeline_id": None}
    callback = app.signature("process_batch_callback", kwargs=kwargs, queue="file_processing_callback", app=app)
    chord(headers, app=app)(callback)
    run.wait()
    assert run.statuses == dict.fromkeys(names, "COMPLETED")
    assert [row["file_path"] for row in run.rows()] == names


def test_ids_may_be_uuid_objects(fleet: Fleet, app: Celery, tmp_path: Path) -> None:
    run = written(fleet, fill(tmp_path / "in", {"a.txt": "one"}))
    workflow, execution = uuid.UUID(run.state.execution.workflow_id), uuid.UUID(run.id)
    pipeline = {"pipeline_id": uuid.uuid4(), "llm_profile_id": uuid.uuid4()}
    batch = original_batch(run, "a.txt", workflow_id=workflow, execution_id=execution, **pipeline)
    assert app.send_task(BATCH, [batch], queue="file_processing").get(timeout=60)["successful_files"] == 1
    assert run.wait().status == "COMPLETED"
    run = written(fleet, fill(tmp_path / "more", {"a.txt": "one"}))
    workflow, execution = uuid.UUID(run.state.execution.workflow_id), uuid.UUID(run.id)
    app.send_task("async_execute_bin", ["default", workflow, execution, {}], pipeline, queue="celery")
    assert run.wait().statuses == {"a.txt": "COMPLETED"}


def test_the_history_is_used_as_the_message_says(fleet: Fleet, app: Celery, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "one"})
    name = {"name": f"workflow-{uuid.uuid4().hex[:12]}"}
    for use_file_history, total in ((True, 1), (True, 0), (False, 1)):
        run = written(fleet, source, **name)
        message = ["default", run.state.execution.workflow_id, run.id, {}, True]
        app.send_task("async_execute_bin_general", message, {"use_file_history": use_file_history}, queue="celery")
        assert run.wait().state.execution.total_files == total


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"workflow_id": str(uuid.uuid4())}, "is not the one of execution"),
        ({"hitl_queue_name": "checks"}, "no review queue is configured"),
        ({"use_file_history": "yes"}, "use_file_history"),
    ],
)
def test_a_batch_that_cannot_be_served_says_so_in_its_result_and_in_the_log_of_its_execution(
    fleet: Fleet, app: Celery, tmp_path: Path, change: dict[str, Any], cause: str
) -> None:
    run = written(fleet, fill(tmp_path / "in", {"a.txt": "one"}))
    result = app.send_task(BATCH, [original_batch(run, "b.txt", **change)], queue="file_processing").get(timeout=60)
    assert cause in result["errors"][0] and not result.get("total_files")
    until(lambda: cause in lines(run), what="its log does not say why")
    assert "b.txt" not in run.statuses


def test_a_batch_for_an_execution_that_has_ended_is_refused(fleet: Fleet, app: Celery, tmp_path: Path) -> None:
    run = fleet.run(fill(tmp_path / "in", {"a.txt": "one"}))
    result = app.send_task(BATCH, [original_batch(run, "b.txt")], queue="file_processing").get(timeout=60)
    assert "the execution is COMPLETED" in result["errors"][0]
    until(lambda: "the execution is COMPLETED" in lines(run), what="its log does not say why")
    assert run.statuses == {"a.txt": "COMPLETED"}


def test_an_execution_sent_to_the_other_kind_of_worker_is_refused_and_not_ended(
    fleet: Fleet, app: Celery, tmp_path: Path
) -> None:
    run = written(fleet, fill(tmp_path / "in", {"a.txt": "one"}))
    message = ["default", run.state.execution.workflow_id, run.id, {}]
    app.send_task("async_execute_bin_api", message, queue="celery_api_deployments")
    until(lambda: "send it to the queue celery" in lines(run), what="its log does not say why")
    app.send_task("async_execute_bin", message, queue="celery")
    assert run.wait().statuses == {"a.txt": "COMPLETED"}
