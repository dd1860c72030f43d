"""The two web applications, made without contacting anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from litestar import Litestar

from docfleet.backend.app import create_app as create_backend
from docfleet.backend.settings import BackendSettings
from docfleet.runner.app import create_app as create_runner
from docfleet.runner.settings import RunnerSettings

KEY = "documentation-" * 3


@contextmanager
def backend() -> Iterator[Litestar]:
    """A backend on an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        yield create_backend(
            BackendSettings(
                database_url=f"sqlite:///{Path(folder) / 'rows.db'}",
                internal_service_api_key=KEY,
                encryption_key=Fernet.generate_key().decode(),
                broker_url="redis://127.0.0.1:1/0",
            )
        )


def runner() -> Litestar:
    """A runner that has not started."""
    return create_runner(RunnerSettings(runner_api_key=KEY, execution_storage_root="/var/lib/docfleet"))
