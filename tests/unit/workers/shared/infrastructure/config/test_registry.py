"""The table of worker types: each type, queue and task has its row."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import QueueName, TaskName, WorkerType
from docfleet.workers.shared.infrastructure.config.registry import WORKERS, WorkerSpec
from tests.worker_environment import ENVIRONMENT


def test_every_worker_type_queue_and_task_has_its_row() -> None:
    assert set(WORKERS) == set(WorkerType)
    assert sorted(queue for spec in WORKERS.values() for queue in spec.queues) == sorted(QueueName)
    assert {task for spec in WORKERS.values() for task in spec.tasks} == set(TaskName)


REGISTERED = """
import json, sys
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
kind = WorkerType(sys.argv[1])
app = WorkerBuilder.build_celery_app(kind, worker_settings(kind, json.loads(sys.argv[2])))
app.loader.import_default_modules()
print(json.dumps({task.name: task.run.__module__ for task in app.tasks.values()}))
"""


@pytest.mark.parametrize("kind", list(WORKERS))
def test_a_worker_registers_exactly_the_tasks_of_its_row(kind: WorkerType) -> None:
    # A process each, as in life: two types register the same task name, and the queue decides which one runs.
    command = [sys.executable, "-W", "error", "-c", REGISTERED, kind.value, json.dumps(ENVIRONMENT)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    ours = {name for name, module in found.items() if module == WORKERS[kind].tasks_module}
    assert ours == {task.value for task in WORKERS[kind].tasks}


def test_calls_of_an_api_are_consumed_first() -> None:
    files = WORKERS[WorkerType.FILE_PROCESSING]
    assert files.consumed() == (QueueName.API_FILE_PROCESSING, QueueName.FILE_PROCESSING)
    assert files.queues[0] is QueueName.FILE_PROCESSING, "where a task without a queue goes"
    assert [spec.type for spec in WORKERS.values() if spec.consumes_in_order] == [
        WorkerType.FILE_PROCESSING,
        WorkerType.CALLBACK,
    ]


@pytest.mark.parametrize("spec", WORKERS.values(), ids=lambda spec: spec.type.value)
def test_a_worker_may_consume_some_of_its_queues(spec: WorkerSpec) -> None:
    for queue in spec.queues:
        assert spec.consumed([f" {queue.value}", queue.value]) == (queue,)
    assert sorted(spec.consumed()) == sorted(spec.queues)


@pytest.mark.parametrize("names", [["celery"], ["file_processing", "nonsense"], [""], []])
def test_a_queue_of_another_type_is_refused_with_the_own_ones(names: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="its queues are file_processing, api_file_processing"):
        WORKERS[WorkerType.FILE_PROCESSING].consumed(names)
