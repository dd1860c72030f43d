"""Messages forged for the execution of another organization, on a running system: nothing is done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest

from docfleet.cli.management import ManagementClient
from docfleet.core.names import QueueName, TaskName
from tests.acceptance.fleet import Fleet, Stage, fill
from tests.task_messages import EMBED, envelope
from tests.waiting import until

STRANGER = "stranger"
PATIENT = {"LEASE_SECONDS": "60", "TOOL_TIMEOUT_SECONDS": "60"}
"""A file waits on a stage until all messages are refused."""


@pytest.fixture(scope="module")
def fleet(redis_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {"CELERY_BROKER_BASE_URL": redis_broker, "LOG_FORMAT": "json", **PATIENT}
    fleet = Fleet(tmp_path_factory.mktemp("tenants"), settings)
    yield fleet
    fleet.stop()


def _rows(run: Any) -> Any:
    return run.statuses, run.status, run.rows()


def test_forged_messages_do_nothing(fleet: Fleet, redis_broker: str, tmp_path: Path) -> None:
    ManagementClient(fleet.addresses, STRANGER).put_organization()
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {"a.txt": "wait a", "b.txt": "words b"}), stage.tool)
    stage.await_starts(1)
    workflow_id = run.state.execution.workflow_id
    until(lambda: "COMPLETED" in run.statuses.values(), what="b.txt is not done")
    before = _rows(run)
    storage = fleet.data / "storage"
    kept = {path for path in storage.rglob("*") if run.id in path.parts}
    assert kept
    file_data = {"workflow_id": workflow_id, "execution_id": run.id, "organization_id": STRANGER, "pipeline_id": None}
    batch = {"file_data": file_data, "batch_index": 0, "batch_count": 1}
    ids = {"execution_id": run.id, "organization_id": STRANGER}
    upload = {"a.txt": {"file_name": "a.txt", "file_path": "../../../../etc/passwd", "file_size": 5, "file_hash": "x"}}
    orchestrate = [STRANGER, workflow_id, run.id, upload]
    forged: list[tuple[TaskName, QueueName, list[Any], dict[str, Any]]] = [
        (TaskName.PROCESS_FILE_BATCH, QueueName.FILE_PROCESSING, [batch], {}),
        (TaskName.PROCESS_FILE_BATCH, QueueName.API_FILE_PROCESSING, [batch], {}),
        (TaskName.PROCESS_BATCH_CALLBACK, QueueName.FILE_PROCESSING_CALLBACK, [[]], ids),
        (TaskName.PROCESS_BATCH_CALLBACK_API, QueueName.API_FILE_PROCESSING_CALLBACK, [[]], ids),
        (TaskName.PROCESS_BATCH_ERRBACK, QueueName.FILE_PROCESSING_CALLBACK, ["x"], ids),
        (TaskName.ASYNC_EXECUTE_BIN, QueueName.GENERAL, orchestrate, {}),
        (TaskName.ASYNC_EXECUTE_BIN_GENERAL, QueueName.GENERAL, orchestrate, {}),
        (TaskName.ASYNC_EXECUTE_BIN_API, QueueName.API_DEPLOYMENTS, orchestrate, {}),
    ]
    workers = {kind: fleet.worker(kind) for kind in ("general", "file_processing", "callback", "api_deployment")}
    tasks = []
    with kombu.Connection(redis_broker) as connection, kombu.Producer(connection) as producer:
        for task, queue, arguments, keywords in forged:
            # A path for an organization or an execution is no more than an id nobody has.
            for change in ({}, {"organization_id": "../../etc"}, {"execution_id": "../../../etc"}):
                told = [json.loads(json.dumps(arguments)), {**keywords, **(change if keywords else {})}]
                if task is TaskName.PROCESS_FILE_BATCH:
                    told[0][0]["file_data"] |= change
                elif not keywords:
                    told[0][0] = change.get("organization_id", told[0][0])
                    told[0][2] = change.get("execution_id", told[0][2])
                tasks.append(str(uuid.uuid4()))
                producer.publish(
                    json.dumps([*told, EMBED]),
                    routing_key=queue.value,
                    exchange=queue.value,
                    content_type="application/json",
                    content_encoding="utf-8",
                    **envelope(task.value, tasks[-1]),
                )

    def lines() -> list[str]:
        """What is written so far; the last line may still lack its end."""
        logs = (*workers, "file_processing_api")
        return [line for name in logs for line in fleet.log(name).split("\n")[:-1]]

    def taken() -> bool:
        text = "\n".join(lines())
        return all(task in text for task in tasks)

    def refused() -> int:
        """How many of the tasks have an error in the log."""
        said = [json.loads(line) for line in lines() if line.startswith("{")]
        return len({line.get("task_id") for line in said if line["level"] == "error"} & set(tasks))

    until(taken, what="not all messages were taken")
    until(lambda: refused() >= len(tasks) - 3, what="refusals are logged")
    assert _rows(run) == before
    assert kept <= {path for path in storage.rglob("*") if run.id in path.parts}, "working files were deleted"
    assert {kind: fleet.worker(kind) for kind in workers} == workers
    stage.open()
    run.wait()
    assert run.status == "COMPLETED" and len(run.rows()) == 2 and set(run.statuses.values()) == {"COMPLETED"}
    assert sorted(stage.started()) == ["a.txt"], "a file was run again"
