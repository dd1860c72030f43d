"""The environment of a worker that never connects to anything."""

from __future__ import annotations

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
