"""The database result backend without pickle. Celery imports this module when the backend is a database."""

from __future__ import annotations

from typing import Any

from celery.backends.database import DatabaseBackend
from celery.backends.database.models import Task, TaskExtended, TaskSet
from kombu.utils.encoding import ensure_bytes

from docfleet.workers.shared.infrastructure.celery.results import JsonPickler

for _model in (Task, TaskExtended, TaskSet):
    _column = _model.__table__.c.result
    if hasattr(_column.type, "pickler"):  # before 5.7
        _column.type = type(_column.type)(pickler=JsonPickler)


class JsonDatabaseBackend(DatabaseBackend):  # type: ignore[misc]
    """Reads and writes JSON only, whatever a row contains."""

    def _decode_stored_result(self, payload: Any) -> Any:
        """Celery 5.7 and later: as Celery's own method, without its fallback to pickle."""
        return None if payload is None else self.decode(ensure_bytes(payload))
