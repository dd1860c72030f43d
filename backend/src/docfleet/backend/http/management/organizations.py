"""Management API of organizations and their settings."""

from __future__ import annotations

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.organizations import repository
from docfleet.backend.platform.db import Database
from docfleet.core.management.organizations import (
    AppliedOrganization,
    OrganizationList,
    OrganizationRequest,
    OrganizationSetting,
    SettingRequest,
)


@get("/organizations", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def list_organizations(database: NamedDependency[Database]) -> OrganizationList:
    """All organizations, by id; needs no X-Organization-ID."""
    with database.reading() as connection:
        return OrganizationList(repository.listing(connection))


@put("/organizations/{organization:str}", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def put_organization(
    organization: FromPath[str], data: JSONBody[OrganizationRequest], database: NamedDependency[Database]
) -> AppliedOrganization:
    """Create an organization or rename it; needs no X-Organization-ID."""
    with database.writing() as connection:
        created = repository.put(connection, organization, data.name)
    return AppliedOrganization(organization, created)


def _setting(database: Database, organization_id: str, key: str) -> OrganizationSetting:
    with database.reading() as connection:
        value = repository.settings(connection, organization_id).get(key)
    return OrganizationSetting(key, value, has_organization_override=value is not None)


@get("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def get_setting(
    key: FromPath[str], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> OrganizationSetting:
    """The organization's override; null when it has none."""
    repository.check_setting(key)
    return _setting(database, organization_id, key)


@put("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def put_setting(
    key: FromPath[str],
    data: JSONBody[SettingRequest],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> OrganizationSetting:
    """Set or clear the organization's override."""
    with database.writing() as connection:
        repository.put_setting(connection, organization_id, key, data.value)
    return _setting(database, organization_id, key)


handlers = [list_organizations, put_organization, get_setting, put_setting]
