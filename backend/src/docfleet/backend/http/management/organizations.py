"""Management API of organizations and their settings."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.organizations import repository
from docfleet.backend.platform.db import Database, iso


class OrganizationBody(msgspec.Struct, forbid_unknown_fields=True):
    """What an organization is called."""

    name: str = ""


class SettingBody(msgspec.Struct, forbid_unknown_fields=True):
    """A setting's value; null takes the override away."""

    value: int | None


@get("/organizations", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def list_organizations(database: NamedDependency[Database]) -> dict[str, Any]:
    """All organizations, by id; needs no X-Organization-ID."""
    with database.reading() as connection:
        rows = repository.listing(connection)
    return {
        "organizations": [
            {"organization_id": row.organization_id, "name": row.name, "created_at": iso(row.created_at)}
            for row in rows
        ]
    }


@put("/organizations/{organization:str}", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def put_organization(
    organization: FromPath[str], data: JSONBody[OrganizationBody], database: NamedDependency[Database]
) -> dict[str, Any]:
    """Create an organization or rename it; needs no X-Organization-ID."""
    with database.writing() as connection:
        created = repository.put(connection, organization, data.name)
    return {"organization_id": organization, "created": created}


def _setting(database: Database, organization_id: str, key: str) -> dict[str, Any]:
    with database.reading() as connection:
        value = repository.settings(connection, organization_id).get(key)
    return {"key": key, "value": value, "has_organization_override": value is not None}


@get("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def get_setting(
    key: FromPath[str], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """The organization's override; null when it has none."""
    repository.check_setting(key)
    return _setting(database, organization_id, key)


@put("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def put_setting(
    key: FromPath[str],
    data: JSONBody[SettingBody],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Set or clear the organization's override."""
    with database.writing() as connection:
        repository.put_setting(connection, organization_id, key, data.value)
    return _setting(database, organization_id, key)


handlers = [list_organizations, put_organization, get_setting, put_setting]
