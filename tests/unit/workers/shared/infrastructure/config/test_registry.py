"""The table of worker types: each type, queue and task has its row."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docfleet.core.names import QueueName, TaskName, WorkerType
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
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
