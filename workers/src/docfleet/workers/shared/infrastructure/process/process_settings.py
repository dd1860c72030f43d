"""The settings of a worker process."""

from __future__ import annotations

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings, worker_settings

_settings: WorkerSettings | None = None


def load_settings(worker_type: WorkerType) -> WorkerSettings:
    """Read the settings, once, in the parent; the pool's children inherit them."""
    global _settings
    _settings = worker_settings(worker_type)
    return _settings


def settings() -> WorkerSettings:
    """The settings of this process."""
    if _settings is None:
        raise ConfigurationError("this process is not a worker: start it with `docfleet worker TYPE`")
    return _settings
