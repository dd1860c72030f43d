"""What a task cannot serve: each task of the specification is sent malformed and foreign messages, and says why."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import redis

from docfleet.core.names import WORKER_QUEUES, TaskName, WorkerType
from tests.security.worker import Worker
from tests.waiting import until

EXECUTION, WORKFLOW, PIPELINE = (str(uuid.uuid4()) for _ in range(3))
UNKNOWN = "there is no such execution"
"""The answer of the suite's backend about everything, as of a real one about rows of another organization."""


class Message(NamedTuple):
    """Arguments of a task, and words that its log event must hold."""

    args: list[Any]
    kwargs: dict[str, Any]
    cause: str


def batch(**changes: Any) -> dict[str, Any]:
    data = {"workflow_id": WORKFLOW, "execution_id": EXECUTION, "organization_id": "org-a", **changes}
    return {"file_data": data, "files": [["a.pdf", {"file_name": "a.pdf", "file_path": "in/a.pdf"}]]}


_IDS = {"execution_id": EXECUTION, "organization_id": "org-a"}
_ORCHESTRATION = [
    Message([], {}, "schema_name"),
    Message(["org-a", WORKFLOW], {}, "execution_id"),
    Message(["org-a", WORKFLOW, EXECUTION, ["a.pdf"]], {}, "files"),
    Message(["org-a", WORKFLOW, EXECUTION, {}], {"use_file_history": "no"}, "use_file_history"),
    Message(["org-a", WORKFLOW, "not-an-id", {}], {}, "the execution is not a UUID"),
    Message(["../org", WORKFLOW, EXECUTION, {}], {}, "not the id of an organization"),
    Message([7, WORKFLOW, EXECUTION, {}], {}, "organization_id"),
    Message(["org-a", WORKFLOW, EXECUTION, {}], {}, UNKNOWN),
]
_CALLBACK = [
    Message([], {}, "results"),
    Message([[]], {"organization_id": "org-a"}, "execution_id"),
    Message([[]], {"execution_id": EXECUTION, "organization_id": None}, "not the id of an organization"),
    Message([[]], {"execution_id": 5, "organization_id": "org-a"}, "the execution is not a UUID"),
    Message([5], _IDS, "have to be a list"),
    Message([[]], _IDS, UNKNOWN),
]
_PIPELINE = [
    Message([], {}, "missing a required argument: 'workflow_id'"),
    Message([WORKFLOW, "org-a", "", "", "no-id", False, "n"], {}, "the pipeline is not a UUID"),
    Message([WORKFLOW, 7, "", "", PIPELINE, False, "n"], {}, "not the id of an organization"),
    Message([WORKFLOW, "org-a", "", "", PIPELINE, False, "n"], {}, UNKNOWN),
]
_TICK = [Message(["more"], {}, "too many positional arguments")]
MESSAGES: dict[WorkerType, dict[TaskName, list[Message]]] = {
    WorkerType.API_DEPLOYMENT: {
        TaskName.ASYNC_EXECUTE_BIN: _ORCHESTRATION,
        TaskName.ASYNC_EXECUTE_BIN_API: _ORCHESTRATION,
    },
    WorkerType.GENERAL: {
        TaskName.ASYNC_EXECUTE_BIN: _ORCHESTRATION,
        TaskName.ASYNC_EXECUTE_BIN_GENERAL: _ORCHESTRATION,
        TaskName.EXECUTE_PIPELINE_TASK: _PIPELINE,
    },
    WorkerType.FILE_PROCESSING: {
        TaskName.PROCESS_FILE_BATCH: [
            Message([], {}, "`file_data` is missing"),
            Message(["a batch"], {}, "`file_data` is missing"),
            Message([{"files": []}], {}, "`file_data` is missing"),
            Message([{"file_data": {}, "files": []}], {}, "workflow_id"),
            Message([batch(execution_id="not-an-id")], {}, "the execution is not a UUID"),
            Message([batch(organization_id=7)], {}, "organization_id"),
            Message([batch(scheduled="yes")], {}, "scheduled"),
            Message([batch() | {"files": "a.pdf"}], {}, "`files` must be a list"),
            Message([batch() | {"files": [5, None]}], {}, "no entry of `files` is a file"),
            Message([batch() | {"batch_index": 5, "batch_count": 2}], {}, "no batch 5 of 2"),
            Message([batch(manual_review_config={"review_required": True})], {}, "no review queue is configured"),
            Message([batch()], {}, UNKNOWN),
            Message([batch() | {"files": []}], {}, UNKNOWN),
        ]
    },
    WorkerType.CALLBACK: {
        TaskName.PROCESS_BATCH_CALLBACK: _CALLBACK,
        TaskName.PROCESS_BATCH_CALLBACK_API: _CALLBACK,
        TaskName.PROCESS_BATCH_ERRBACK: [Message([], {}, "execution_id"), Message(["id"], _IDS, UNKNOWN)],
    },
    WorkerType.LOG_CONSUMER: {
        TaskName.LOGS_CONSUMER: [
            Message([], {}, "an event is an object"),
            Message([], {"events": []}, "holds no event"),
            Message([], {"events": 5}, "an event is an object"),
            Message([], {"event": 5, "message": {"log": "of nobody"}}, "an event is an object"),
            Message([], {"message": {**_IDS, "log": "a", "timestamp": 1.5}}, UNKNOWN),
        ]
    },
    WorkerType.NOTIFICATION: {
        TaskName.PROCESS_NOTIFICATION: [
            Message([], {}, "None"),
            Message(["EMAIL"], {"url": "https://example.org", "payload": {}}, "no messages of type 'EMAIL'"),
            Message(["WEBHOOK"], {}, "url and payload are needed"),
            Message(["WEBHOOK"], {"url": 5, "payload": {}}, "$.url"),
            Message(["WEBHOOK"], {"url": "file:///etc/passwd", "payload": {}}, "http"),
            Message([], {"batch_id": str(uuid.uuid4())}, "not the id of an organization"),
            Message([], {"batch_id": "x", "organization_id": "org-a"}, "the batch is not a UUID"),
            Message([], {"batch_id": str(uuid.uuid4()), "organization_id": "org-a"}, UNKNOWN),
        ],
        TaskName.PRIORITY_NOTIFICATION: [Message(["SMS"], {}, "no messages of type 'SMS'")],
        TaskName.SEND_WEBHOOK_NOTIFICATION: [
            Message([], {}, "url"),
            Message([5, {}], {}, "$.url"),
            Message(["https://example.org", {}, "headers"], {}, "$.headers"),
            Message(["https://example.org", {}], {"timeout": "long"}, "$.timeout"),
            Message(["https://example.org", {}], {"max_retries": "many"}, "$.max_retries"),
            Message(["https://example.org"], {}, "payload"),
            Message(["gopher://example.org", {}], {}, "http"),
        ],
        TaskName.SEND_BATCH_NOTIFICATIONS: [
            Message([], {}, "notifications"),
            Message(["none"], {}, "has to be a list"),
            Message([[]], {}, "at least one message"),
            Message([[5]], {}, "url and payload are needed"),
            Message([[{}]], {"delay_between": "long"}, "delay_between"),
        ],
    },
    WorkerType.SCHEDULER: {
        TaskName.SWEEP: _TICK,
        TaskName.TICK_SCHEDULES: _TICK,
        TaskName.DISPATCH_NOTIFICATIONS: _TICK,
        TaskName.EXECUTE_PIPELINE_TASK: _PIPELINE,
        TaskName.EXECUTE_PIPELINE_TASK_V2: [
            Message(["org-a"], {}, "pipeline_id"),
            Message(["org-a", 5], {}, "the pipeline is not a UUID"),
            Message(["org-a", PIPELINE], {}, UNKNOWN),
        ],
    },
}


def test_the_table_has_every_task() -> None:
    assert {task for tasks in MESSAGES.values() for task in tasks} == set(TaskName)


def events(worker: Worker, task_id: str) -> list[dict[str, Any]]:
    """What the worker logged about a task."""
    lines = (json.loads(line) for line in worker.log.splitlines() if line.startswith("{") and task_id in line)
    return [line for line in lines if line.get("task_id") == task_id]


@pytest.mark.parametrize("kind", WorkerType)
def test_a_message_that_cannot_be_served_is_refused_by_name(
    start_worker: Callable[[WorkerType], Worker], kind: WorkerType
) -> None:
    worker = start_worker(kind)
    queue = WORKER_QUEUES[kind][0]
    sent = {
        worker.task(task, queue, *message.args, **message.kwargs): (task, message)
        for task, messages in MESSAGES[kind].items()
        for message in messages
    }
    ended = ("task.finished", "task.failed", "task.crashed")
    for task_id, (task, message) in sent.items():
        until(lambda: any(e["event"] in ended for e in events(worker, task_id)), what=f"{task} did not end")  # noqa: B023
        said = events(worker, task_id)
        shown = (task.value, message, said)
        assert not [event for event in said if "crashed" in event["event"]], shown
        serious = [event for event in said if event["level"] in ("warning", "error")]
        assert any(message.cause in f"{event.get('error', '')} {event.get('reason', '')}" for event in serious), shown
    assert worker.process.runs and worker.waiting(queue) == 0


def test_the_result_of_a_refused_batch_holds_its_reason(start_worker: Callable[[WorkerType], Worker]) -> None:
    worker = start_worker(WorkerType.FILE_PROCESSING)
    queue = WORKER_QUEUES[WorkerType.FILE_PROCESSING][0]
    with redis.Redis.from_url(worker.results) as results:
        for message in MESSAGES[WorkerType.FILE_PROCESSING][TaskName.PROCESS_FILE_BATCH]:
            task_id = worker.task(TaskName.PROCESS_FILE_BATCH, queue, *message.args, **message.kwargs)
            stored = until(lambda: results.get(f"celery-task-meta-{task_id}"), what="there is no result")  # noqa: B023
            result = json.loads(stored)
            assert result["status"] == "SUCCESS" and message.cause in result["result"]["errors"][0], result
