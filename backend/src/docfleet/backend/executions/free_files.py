"""Files that a worker may claim now."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from docfleet.backend.platform.db import db_now
from docfleet.backend.tables.files import file_executions as files


def is_free() -> ColumnElement[bool]:
    """The open file may be claimed now: no lease on it runs, and it does not wait for a time."""
    return and_(files.c.lease_until < db_now(), files.c.not_before < db_now())
