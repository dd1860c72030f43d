"""Reads and writes of organizations and their settings."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from docfleet.backend.platform.db import Record, clean, db_now, iso, upsert
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.organizations import configuration, organizations
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.ids import ORGANIZATION_ID
from docfleet.core.management.organizations import Organization, SettingInForce
from docfleet.core.management.quotas import Quota

MAX_QUOTA = 1_000_000_000
FAIR_SHARE_WEIGHT = "FAIR_SHARE_WEIGHT"


class Setting(NamedTuple):
    """A setting of an organization: its bounds, and the backend's setting that is its default. An operator's setting is
    not the organization's to change."""

    least: int
    greatest: int
    default: str
    is_operators: bool = False


SETTINGS: dict[str, Setting] = {
    "MAX_PARALLEL_FILE_BATCHES": Setting(1, 100, "max_parallel_file_batches"),
    "MAX_FILE_EXECUTION_COUNT": Setting(1, 1000, "max_file_execution_count"),
    "API_CONCURRENT_REQUEST_LIMIT": Setting(1, 10_000, "api_concurrent_limit_org"),
    FAIR_SHARE_WEIGHT: Setting(1, 100, "fair_share_weight", is_operators=True),
    **{quota.setting: Setting(0, MAX_QUOTA, quota.setting.lower(), is_operators=True) for quota in Quota},
}
"""The settings of an organization. All are integers."""


_FIND = select(organizations).where(organizations.c.organization_id == bindparam("id"))
_SETTINGS = select(configuration.c.key, configuration.c.value).where(configuration.c.organization_id == bindparam("id"))


def find(connection: Connection, organization_id: str) -> Record | None:
    """The organization's row."""
    return connection.execute(_FIND, {"id": organization_id}).one_or_none()


def require(connection: Connection, organization_id: str) -> Record:
    """The organization's row. Raises ``NotFound``."""
    row = find(connection, organization_id)
    if row is None:
        raise NotFound(
            f"there is no organization {organization_id!r:.120}: "
            "check the id, or make it with `docfleet organizations create ID`"
        )
    return row


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


def settings_in_force(
    connection: Connection, organization_id: str, backend_settings: BackendSettings
) -> list[SettingInForce]:
    """All settings of the organization with their defaults, by key."""
    overrides = settings(connection, organization_id)
    return [SettingInForce(key, overrides.get(key), default_of(key, backend_settings)) for key in sorted(SETTINGS)]


def default_of(key: str, backend_settings: BackendSettings) -> int | None:
    """The backend's value of a known setting."""
    value: int | None = getattr(backend_settings, SETTINGS[key].default)
    return value


def own_settings() -> list[str]:
    """The settings that an organization sets itself."""
    return sorted(key for key, setting in SETTINGS.items() if not setting.is_operators)


def check_setting(key: str, value: Any = None) -> None:
    """Raise ``InvalidInput`` for an unknown key or a value it does not take; None means no value."""
    if key not in SETTINGS:
        raise InvalidInput(f"unknown setting {key!r:.120}; known are {', '.join(sorted(SETTINGS))}")
    least, greatest, *_ = SETTINGS[key]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest):
        raise InvalidInput(
            f"setting {key} has to be a whole number from {least} to {greatest}, or null for the default"
        )


def check_own_setting(key: str) -> None:
    """Raise ``InvalidInput`` for a key that is unknown, or not the organization's to change."""
    check_setting(key)
    if SETTINGS[key].is_operators:
        raise InvalidInput(f"{key} is set by the operator: `docfleet organizations set ORGANIZATION {key}=N`")


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
