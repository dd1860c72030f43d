"""Results are JSON with every Celery version, and are never unpickled.

Celery's database result backend pickles its results up to 5.6, and 5.7 still unpickles a row that looks like one of
those: a user with write access to the table could run code in every worker that reads it. Here the rows are JSON, in
the form of 5.7, so that workers of both versions can share a table.
"""

from __future__ import annotations

from typing import Any, ClassVar

from celery.loaders.app import AppLoader
from kombu.utils.encoding import ensure_bytes
from kombu.utils.json import dumps, loads

JSON_DATABASE_BACKEND = "docfleet.workers.shared.infrastructure.celery.database_results:JsonDatabaseBackend"


class JsonLoader(AppLoader):  # type: ignore[misc]
    """Celery's loader, with our database backend in the place of Celery's."""

    override_backends: ClassVar[dict[str, str]] = dict.fromkeys(("db", "database"), JSON_DATABASE_BACKEND)


class JsonPickler:
    """``pickle``'s interface over JSON, for a column that Celery declares as pickled."""

    @staticmethod
    def dumps(value: Any, _protocol: int | None = None) -> bytes:
        """``value`` as UTF-8. Raises ``TypeError`` for what is not JSON."""
        return bytes(dumps(value).encode())

    @staticmethod
    def loads(payload: bytes) -> Any:
        """The value. Raises ``ValueError`` for what is not JSON: it is never unpickled."""
        return loads(ensure_bytes(payload).decode())
