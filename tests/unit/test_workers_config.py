"""The table of worker types, the settings, and the Celery configuration made of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import QueueName, TaskName, WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import worker_settings

ENVIRONMENT = {
    "CELERY_BROKER_BASE_URL": "redis://localhost:6379/0",
    "CELERY_RESULT_BACKEND": "redis://localhost:6379/1",
    "REDIS_URL": "redis://localhost:6379/2",
    "INTERNAL_API_BASE_URL": "http://localhost:8000/internal",
    "INTERNAL_SERVICE_API_KEY": "k" * 40,
    "UNSTRACT_RUNNER_URL": "http://localhost:5002",
    "RUNNER_API_KEY": "r" * 40,
    "EXECUTION_STORAGE_ROOT": "/data",
}


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


@pytest.mark.parametrize("kind", list(WorkerType))
def test_celery_is_configured_for_at_least_once(kind: WorkerType) -> None:
    conf = WorkerBuilder.build_celery_app(kind, worker_settings(kind, ENVIRONMENT)).conf
    assert conf.task_acks_late
    assert not conf.task_reject_on_worker_lost, "a dead child is told to the backend, not to the broker"
    assert conf.worker_prefetch_multiplier == WORKERS[kind].prefetch
    assert conf.worker_max_tasks_per_child == WORKERS[kind].max_tasks_per_child
    assert conf.accept_content == conf.result_accept_content == ["json"]
    assert conf.task_soft_time_limit < conf.task_time_limit
    assert conf.broker_transport_options["visibility_timeout"] > conf.task_time_limit
    assert conf.result_chord_retry_interval == 1.0
    for spec in WORKERS.values():
        for task in spec.tasks:
            assert conf.task_routes[task.value]["queue"] in {
                queue.value for row in WORKERS.values() for queue in row.queues
            }


def test_a_types_own_variable_wins() -> None:
    environment = {**ENVIRONMENT, "CELERY_CONCURRENCY": "3", "FILE_PROCESSING_CONCURRENCY": "7"}
    files = worker_settings(WorkerType.FILE_PROCESSING, environment)
    general = worker_settings(WorkerType.GENERAL, environment)
    assert files.concurrency(WORKERS[WorkerType.FILE_PROCESSING]) == 7
    assert general.concurrency(WORKERS[WorkerType.GENERAL]) == 3
    assert general.parallel_batches == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"CELERY_CONCURENCY": "2"}, "CELERY_CONCURENCY.*CELERY_CONCURRENCY"),
        ({"FILE_PROCESSING_TIMELIMIT": "2"}, "FILE_PROCESSING_TIMELIMIT"),
        ({"LEASE_SECOND": "60"}, "LEASE_SECOND: did you mean LEASE_SECONDS"),
        ({"TOOL_TIMEOUT_SECOND": "60"}, "TOOL_TIMEOUT_SECOND: did you mean TOOL_TIMEOUT_SECONDS"),
        ({"CLAIM_LIMIT": "1001"}, "CLAIM_LIMIT"),  # the backend hands out no more in one call
        ({"LEASE_SECONDS": "86401"}, "LEASE_SECONDS"),
        ({"CELERY_CONCURRENCY": "two"}, "CELERY_CONCURRENCY"),
        ({"CELERY_CONCURRENCY": "0"}, "CELERY_CONCURRENCY"),
        ({"REDIS_URL": ""}, "REDIS_URL is missing"),
        ({"INTERNAL_SERVICE_API_KEY": "short"}, "INTERNAL_SERVICE_API_KEY"),
        ({"EXECUTION_STORAGE_ROOT": "relative"}, "EXECUTION_STORAGE_ROOT"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        worker_settings(WorkerType.GENERAL, {**ENVIRONMENT, **change})


def test_broker_credentials_given_apart_are_quoted_into_the_url() -> None:
    environment = {
        **ENVIRONMENT,
        "CELERY_BROKER_BASE_URL": "amqp://rabbit:5672//",
        "CELERY_BROKER_USER": "user",
        "CELERY_BROKER_PASS": "p@ss/word",
    }
    assert worker_settings(WorkerType.GENERAL, environment).broker_url == "amqp://user:p%40ss%2Fword@rabbit:5672//"
