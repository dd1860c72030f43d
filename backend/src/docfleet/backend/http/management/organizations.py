"""Management API of organizations, their settings and their quotas."""

from __future__ import annotations

from typing import Annotated

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from docfleet.backend.organizations import repository
from docfleet.backend.platform.db import Database
from docfleet.backend.quotas import repository as quotas
from docfleet.backend.settings import BackendSettings
from docfleet.core.ids import ORGANIZATION_ID
from docfleet.core.management.organizations import (
    AppliedOrganization,
    OrganizationList,
    OrganizationRequest,
    OrganizationSetting,
    SettingList,
    SettingRequest,
    SettingsRequest,
)
from docfleet.core.management.quotas import QuotaList

SettingName = Annotated[str, PathParameter(schema_extra={"enum": sorted(repository.SETTINGS)})]
OwnSettingName = Annotated[str, PathParameter(schema_extra={"enum": repository.own_settings()})]
OrganizationId = Annotated[str, PathParameter(schema_extra={"pattern": f"^{ORGANIZATION_ID.pattern[:-2]}$"})]


@get("/organizations", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def list_organizations(database: NamedDependency[Database]) -> OrganizationList:
    """All organizations, by id; needs no X-Organization-ID."""
    with database.reading() as connection:
        return OrganizationList(repository.listing(connection))


@put("/organizations/{organization:str}", sync_to_thread=True, opt={"organization": False}, tags=["organizations"])
def put_organization(
    organization: OrganizationId, data: JSONBody[OrganizationRequest], database: NamedDependency[Database]
) -> AppliedOrganization:
    """Create an organization or rename it; needs no X-Organization-ID."""
    with database.writing() as connection:
        created = repository.put(connection, organization, data.name)
    return AppliedOrganization(organization, created)


@put(
    "/organizations/{organization:str}/settings",
    sync_to_thread=True,
    opt={"organization": False},
    tags=["organizations"],
    summary="Change settings of an organization, its quotas among them",
)
def put_organization_settings(
    organization: OrganizationId,
    data: JSONBody[SettingsRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
) -> SettingList:
    """All of them or none; null removes the override. Needs the internal key: what an organization may use is not its
    own to decide."""
    with database.writing() as connection:
        repository.require(connection, organization)
        for key, value in data.settings.items():
            repository.put_setting(connection, organization, key, value)
        return SettingList(organization, repository.settings_in_force(connection, organization, settings))


@get("/settings", sync_to_thread=True, tags=["organizations"])
def list_settings(
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> SettingList:
    """All settings of the organization, with the backend's defaults."""
    with database.reading() as connection:
        return SettingList(organization_id, repository.settings_in_force(connection, organization_id, settings))


@get("/quotas", sync_to_thread=True, tags=["organizations"])
def list_quotas(
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> QuotaList:
    """What the organization may use, what it has used, and when the day ends. Files of admitted calls count at once."""
    with database.reading() as connection:
        return QuotaList(organization_id, quotas.listing(connection, settings, organization_id))


def _setting(database: Database, organization_id: str, key: str) -> OrganizationSetting:
    with database.reading() as connection:
        value = repository.settings(connection, organization_id).get(key)
    return OrganizationSetting(key, value, has_organization_override=value is not None)


@get("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def get_setting(
    key: SettingName, database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> OrganizationSetting:
    """The organization's override; null when it has none."""
    repository.check_setting(key)
    return _setting(database, organization_id, key)


@put("/settings/{key:str}", sync_to_thread=True, tags=["organizations"])
def put_setting(
    key: OwnSettingName,
    data: JSONBody[SettingRequest],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> OrganizationSetting:
    """Set or clear the organization's override. Quotas are set by `PUT /organizations/{organization}/settings`."""
    repository.check_own_setting(key)
    with database.writing() as connection:
        repository.put_setting(connection, organization_id, key, data.value)
    return _setting(database, organization_id, key)


handlers = [
    list_organizations,
    put_organization,
    put_organization_settings,
    list_settings,
    get_setting,
    put_setting,
    list_quotas,
]
