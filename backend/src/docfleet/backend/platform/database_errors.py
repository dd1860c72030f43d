"""Errors of the database, grouped by their meaning for a caller."""

from __future__ import annotations

from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

UNAVAILABLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeout)
"""The database does not answer, or not in time."""

CONFLICTING: tuple[type[Exception], ...] = (IntegrityError,)
"""Another transaction wrote the same row at the same time."""

OUT_OF_RANGE: tuple[type[Exception], ...] = (DataError, OverflowError)
"""A value does not fit into its column."""


def cause(error: Exception) -> str:
    """The driver's message, without the statement."""
    return str(getattr(error, "orig", None) or error)
