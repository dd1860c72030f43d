"""What a worker refuses to start with, and what it says."""

from __future__ import annotations

import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from tests.worker_environment import ENVIRONMENT as REDIS

RABBITMQ = {**REDIS, "CELERY_BROKER_BASE_URL": "amqp://localhost//"}
FILES = WorkerType.FILE_PROCESSING


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({**REDIS, "CELERY_TASK_TIME_LIMIT": "100", "CELERY_TASK_SOFT_TIME_LIMIT": "100"}, "SOFT_TIME_LIMIT.*lower"),
        ({**REDIS, "FILE_PROCESSING_TASK_SOFT_TIME_LIMIT": "7200"}, "CELERY_TASK_SOFT_TIME_LIMIT"),
        ({**REDIS, "CELERY_VISIBILITY_TIMEOUT": "14399"}, "CELERY_VISIBILITY_TIMEOUT.*14400 s.*leave it unset"),
        ({**RABBITMQ, "CELERY_TASK_TIME_LIMIT": "1741"}, "consumer_timeout = 1801000.*BROKER_CONSUMER_TIMEOUT_SECONDS"),
        ({**RABBITMQ, "CELERY_TASK_TIME_LIMIT": "871", "CELERY_PREFETCH_MULTIPLIER": "2"}, "CELERY_TASK_TIME_LIMIT to"),
        ({**RABBITMQ, "BROKER_CONSUMER_TIMEOUT_SECOND": "9"}, "did you mean BROKER_CONSUMER_TIMEOUT_SECONDS"),
        ({**REDIS, "TASK_SERIALIZER": "pickle"}, "TASK_SERIALIZER=pickle.*remove"),
        ({**REDIS, "CELERY_ACCEPT_CONTENT": "json,pickle"}, "JSON only"),
        ({**REDIS, "GENERAL_RESULT_SERIALIZER": "YAML"}, "JSON only"),
        ({**REDIS, "INTERNAL_SERVICE_API_KEY": "dev-internal-key-123"}, "INTERNAL_SERVICE_API_KEY.*published sample"),
        ({**REDIS, "RUNNER_API_KEY": "r" * 31}, "RUNNER_API_KEY is too short.*openssl"),
        ({**REDIS, "LEASE_SECONDS": "2"}, "LEASE_SECONDS"),
        ({**REDIS, "WORKER_HEALTH_PORT": "65536"}, "WORKER_HEALTH_PORT"),
    ],
)
def test_a_setting_that_would_break_a_promise_is_refused_with_its_remedy(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refusal:
        worker_settings(FILES, environment)
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize("key", ["INTERNAL_SERVICE_API_KEY", "RUNNER_API_KEY"])
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} is missing"):
        worker_settings(FILES, {**REDIS, key: " "})


def test_limits_nobody_set_fit_a_rabbitmq_nobody_configured() -> None:
    conf = WorkerBuilder.build_celery_app(FILES, worker_settings(FILES, RABBITMQ)).conf
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (1522, 1740)
    stated = {**RABBITMQ, "BROKER_CONSUMER_TIMEOUT_SECONDS": "9000"}
    conf = WorkerBuilder.build_celery_app(FILES, worker_settings(FILES, stated)).conf
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (6300, 7200)


def test_a_hard_limit_alone_brings_its_soft_limit() -> None:
    conf = WorkerBuilder.build_celery_app(FILES, worker_settings(FILES, {**REDIS, "CELERY_TASK_TIME_LIMIT": "80"})).conf
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (70, 80)
    assert conf.broker_transport_options["visibility_timeout"] == 160


def test_an_operator_may_insist_on_short_timeouts() -> None:
    insisting = {"WORKER_ALLOW_UNSAFE_TIMEOUTS": "true", "CELERY_TASK_TIME_LIMIT": "4000"}
    settings = worker_settings(FILES, {**REDIS, **insisting, "CELERY_VISIBILITY_TIMEOUT": "6"})
    conf = WorkerBuilder.build_celery_app(FILES, settings).conf
    assert conf.broker_transport_options["visibility_timeout"] == 6
    conf = WorkerBuilder.build_celery_app(FILES, worker_settings(FILES, {**RABBITMQ, **insisting})).conf
    assert conf.task_time_limit == 4000


def test_the_health_port_is_the_types_the_common_one_or_the_tables() -> None:
    spec = WORKERS[FILES]
    assert worker_settings(FILES, REDIS).health_port(spec) == 8082
    common = {**REDIS, "WORKER_HEALTH_PORT": "0"}
    assert worker_settings(FILES, common).health_port(spec) == 0
    assert worker_settings(FILES, {**common, "FILE_PROCESSING_HEALTH_PORT": "9000"}).health_port(spec) == 9000


def test_a_types_own_variable_wins() -> None:
    environment = {**REDIS, "CELERY_CONCURRENCY": "3", "FILE_PROCESSING_CONCURRENCY": "7"}
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
        worker_settings(WorkerType.GENERAL, {**REDIS, **change})


def test_broker_credentials_given_apart_are_quoted_into_the_url() -> None:
    environment = {
        **REDIS,
        "CELERY_BROKER_BASE_URL": "amqp://rabbit:5672//",
        "CELERY_BROKER_USER": "user",
        "CELERY_BROKER_PASS": "p@ss/word",
    }
    assert worker_settings(WorkerType.GENERAL, environment).broker_url == "amqp://user:p%40ss%2Fword@rabbit:5672//"
