"""The Celery configuration made from a worker's settings."""

from __future__ import annotations

import pytest

from docfleet.core.names import WorkerType
from docfleet.workers.log_consumer import delivery
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder, celery_config
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from tests.worker_environment import ENVIRONMENT


def test_the_limits_let_the_consumer_wait_for_the_backend() -> None:
    spec = next(spec for spec in WORKERS.values() if spec.type.value == "log_consumer")
    # Four calls' time until it is put back, and one that is under way.
    assert spec.soft_time_limit > 5 * delivery.CALL_SECONDS and 5 * delivery.SHARE < 1


def test_no_worker_restores_what_another_still_works_on() -> None:
    """On Redis every worker looks through its list of unacknowledged messages by its own visibility timeout."""
    lists: dict[str, list[tuple[str, int, int]]] = {}
    for spec in WORKERS.values():
        conf = celery_config(spec, worker_settings(spec.type, ENVIRONMENT))
        options = conf["broker_transport_options"]
        entry = (spec.type.value, options["visibility_timeout"], conf["task_time_limit"])
        lists.setdefault(options.get("unacked_key", "unacked"), []).append(entry)
    for members in lists.values():
        shortest, longest = min(member[1] for member in members), max(member[2] for member in members)
        assert shortest >= longest, members


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
