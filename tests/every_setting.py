"""An environment with every documented setting of every process, as one that several processes share may be."""

from __future__ import annotations

import ssl

import msgspec
from cryptography.fernet import Fernet

from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.config.settings import own_variables
from docs.generator.settings import settings_types

SECRETS = {
    "INTERNAL_SERVICE_API_KEY": "internal-" + "k" * 32,
    "INTERNAL_SERVICE_API_KEY_PREVIOUS": "previous-" + "k" * 32,
    "METRICS_API_KEY": "metrics-" + "k" * 32,
    "RUNNER_API_KEY": "runner-" + "k" * 32,
    "ENCRYPTION_KEY": Fernet.generate_key().decode(),
    "DOCFLEET_KEY": "docfleet-" + "k" * 32,
    "CELERY_BROKER_PASS": "broker-password-" + "k" * 16,
}
SERVERS = {
    "DATABASE_URL": "sqlite:////nowhere/docfleet.db",
    "CELERY_BROKER_BASE_URL": "redis://localhost:6379/0",
    "CELERY_RESULT_BACKEND": "redis://localhost:6379/1",
    "REDIS_URL": "redis://localhost:6379/2",
    "INTERNAL_API_BASE_URL": "http://localhost:8000/internal",
    "UNSTRACT_RUNNER_URL": "http://localhost:5002",
}
VALUES = {
    **SECRETS,
    **SERVERS,
    "EXECUTION_STORAGE_ROOT": "/nowhere/storage",
    "TOOL_REGISTRY_CONFIG_PATH": "/nowhere/registry",
    "DOCFLEET_URL": "http://localhost:8000",
    "DOCFLEET_ORGANIZATION": "default",
    "BACKEND_PORT": "8000",
    "BACKEND_INTERNAL_HOST": "127.0.0.1",
    "BACKEND_INTERNAL_PORT": "8001",
    "RUNNER_PORT": "5002",
    "RUNNER_LONG_RUNS": "1",
    "MAX_PARALLEL_FILE_BATCHES": "1",
    "FILE_PROCESSING_CONCURRENCY": "2",
    "CELERY_BROKER_USER": "docfleet",
    "CELERY_CONCURRENCY": "2",
    "CELERY_POOL_TYPE": "prefork",
    "CELERY_MAX_TASKS_PER_CHILD": "100",
    "CELERY_TASK_TIME_LIMIT": "1700",
    "CELERY_TASK_SOFT_TIME_LIMIT": "1500",
    "CELERY_VISIBILITY_TIMEOUT": "3600",
    "BROKER_CONSUMER_TIMEOUT_SECONDS": "1800",
    "WORKER_HEALTH_PORT": "0",
    "WORKER_READY_FILE": "/nowhere/ready",
    "API_PRESIGNED_CA_FILE": str(ssl.get_default_verify_paths().cafile),
    "NOTIFICATION_CA_FILE": str(ssl.get_default_verify_paths().cafile),
    "DOCFLEET_FAULTS": "",
    "DOCFLEET_FAULTS_FOLDER": "",
}
"""What has no default that could be written down, and no number would do."""


def every_setting() -> dict[str, str]:
    """Every variable that is documented, and those of single worker types, with values that are right."""
    common: dict[str, str] = {}
    for kind in settings_types():
        for field in msgspec.structs.fields(kind):
            name = field.encode_name
            default = field.default_factory() if callable(field.default_factory) else field.default
            assert name in VALUES or default is not msgspec.NODEFAULT, f"{name} needs a value in VALUES"
            written = "1" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
            common[name] = VALUES.get(name, written)
    own = {name: common[shared] for worker in WorkerType for name, shared in own_variables(worker).items()}
    return {**own, **common}
