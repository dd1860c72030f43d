"""Before the backend serves: its database, which may start later than the backend."""

from __future__ import annotations

import time

import structlog

from docfleet.backend.migrations.upgrade import DatabaseAway, upgrade
from docfleet.backend.platform.db import normalise_url

log = structlog.get_logger(__name__)

DATABASE_SECONDS = 60.0
"""How long the backend waits for a database server."""
_RETRY_SECONDS = 1.0


def prepare_database(url: str, seconds: float = DATABASE_SECONDS) -> None:
    """Bring the database to the newest schema, once it answers.

    Raises ``DependencyError`` after ``seconds``, and at once for SQLite: a file does not start later.
    """
    if normalise_url(url).startswith("sqlite"):
        seconds = 0.0
    deadline, is_logged = time.monotonic() + seconds, False
    while True:
        try:
            return upgrade(url)
        except DatabaseAway as error:
            if time.monotonic() >= deadline:
                raise
            if not is_logged:
                log.warning("backend.database_awaited", seconds=seconds, error=error.message)
            is_logged = True
        time.sleep(min(_RETRY_SECONDS, seconds))
