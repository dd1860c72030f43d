"""Reads and writes of organizations and their settings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from docfleet.backend.platform.db import Record, clean, db_now, iso, upsert
from docfleet.backend.tables.organizations import configuration, organizations
from docfleet.core.errors import InvalidInput
from docfleet.core.ids import ORGANIZATION_ID
from docfleet.core.management.organizations import Organization

SETTINGS: dict[str, tuple[int, int]] = {
    "MAX_PARALLEL_FILE_BATCHES": (1, 100),
    "MAX_FILE_EXECUTION_COUNT": (1, 1000),
    "API_CONCURRENT_REQUEST_LIMIT": (1, 10_000),
}
"""What an organization may set, with the least and the greatest value. All are integers."""


_FIND = select(organizations).where(organizations.c.organization_id == bindparam("id"))
_SETTINGS = select(configuration.c.key, configuration.c.value).where(configuration.c.organization_id == bindparam("id"))


def find(connection: Connection, organization_id: str) -> Record | None:
    """The organization's row."""
    return connection.execute(_FIND, {"id": organization_id}).one_or_none()


def listing(connection: Connection) -> list[Organization]:
    """All organizations, by id."""
    rows = connection.execute(select(organizations).order_by(organizations.c.organization_id))
    return [Organization(row.organization_id, row.name, iso(row.created_at)) for row in rows]


def put(connection: Connection, organization_id: str, name: str) -> bool:
    """Create the organization or rename it; True when it is new. Raises ``InvalidInput``."""
    if not ORGANIZATION_ID.match(organization_id):
        raise InvalidInput(
            f"not an organization id: {organization_id!r:.120}; use letters, digits, '_', '-' and '.', at most 100"
        )
    name = clean(name, 200) or organization_id
    if find(connection, organization_id) is None:
        values = {"organization_id": organization_id, "name": name, "created_at": db_now(), "modified_at": db_now()}
        connection.execute(insert(organizations).values(**values))
        return True
    connection.execute(
        update(organizations)
        .where(organizations.c.organization_id == organization_id)
        .values(name=name, modified_at=db_now())
    )
    return False


def settings(connection: Connection, organization_id: str) -> dict[str, int]:
    """The organization's overrides by key."""
    rows = connection.execute(_SETTINGS, {"id": organization_id})
    return {row.key: int(row.value) for row in rows if row.key in SETTINGS}


def check_setting(key: str, value: Any = None) -> None:
    """Raise ``InvalidInput`` for an unknown key or a value it does not take; None means no value."""
    if key not in SETTINGS:
        raise InvalidInput(f"unknown setting {key!r:.120}; known are {', '.join(sorted(SETTINGS))}")
    least, greatest = SETTINGS[key]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest):
        raise InvalidInput(
            f"setting {key} has to be a whole number from {least} to {greatest}, or null for the default"
        )


def put_setting(connection: Connection, organization_id: str, key: str, value: int | None) -> None:
    """Set, or clear with None. Raises ``InvalidInput``."""
    check_setting(key, value)
    where = (configuration.c.organization_id == organization_id, configuration.c.key == key)
    if value is None:
        connection.execute(configuration.delete().where(*where))
        return
    fresh = {"value": str(value), "modified_at": db_now()}
    statement = upsert(connection, configuration).values(organization_id=organization_id, key=key, **fresh)
    connection.execute(statement.on_conflict_do_update(index_elements=["organization_id", "key"], set_=fresh))
