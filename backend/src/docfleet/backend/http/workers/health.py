"""The check that a worker makes before it takes work."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.di import NamedDependency

from docfleet.backend.platform.db import Database


@get("/health", sync_to_thread=True, opt={"organization": False})
def health(database: NamedDependency[Database]) -> dict[str, Any]:
    """The key is right, and the database answers; 503 when it does not."""
    database.check()
    return {"status": "healthy", "service": "docfleet-backend", "version": "v1", "authenticated": True}


handlers = [health]
