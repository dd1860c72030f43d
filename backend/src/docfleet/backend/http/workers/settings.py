"""Settings of an organization."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter

from docfleet.backend.organizations import repository
from docfleet.backend.platform.db import Database
from docfleet.backend.settings import BackendSettings


@get("/configuration/{key:str}", sync_to_thread=True)
def get_configuration(
    key: Annotated[str, PathParameter(schema_extra={"enum": sorted(repository.SETTINGS)})],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """The value in force: the organization's, else the server's, else null."""
    repository.check_setting(key)
    with database.reading() as connection:
        override = repository.settings(connection, organization_id).get(key)
    data = {
        "config_key": key,
        "value": repository.default_of(key, settings) if override is None else override,
        "organization_id": organization_id,
        "has_organization_override": override is not None,
    }
    return {"success": True, "data": data}


handlers = [get_configuration]
