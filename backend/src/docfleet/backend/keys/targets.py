"""What a key or a notification is for: a deployment or a pipeline, which people know by its name."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from docfleet.backend.platform.db import chunks, clean
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.pipelines import pipelines
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.management.keys import Scope

_NAME_COLUMNS = {
    Scope.DEPLOYMENT: (api_deployments, api_deployments.c.api_name),
    Scope.PIPELINE: (pipelines, pipelines.c.pipeline_name),
}


def find(connection: Connection, organization_id: str, scope: Scope, name: str) -> str | None:
    """The id of the deployment or pipeline of this name; None when there is none."""
    table, column = _NAME_COLUMNS[scope]
    where = (table.c.organization_id == organization_id, column == clean(name))
    return connection.scalar(select(table.c.id).where(*where))


def of_key(connection: Connection, organization_id: str, scope: Scope, name: str | None) -> str | None:
    """The id of what a new key opens; None for the whole organization. Raises ``InvalidInput`` when scope and name do
    not fit, and ``NotFound``."""
    if scope is Scope.PLATFORM:
        if name is not None:
            raise InvalidInput("a platform key is for the whole organization: leave target out")
        return None
    if not name:
        raise InvalidInput(f"target is missing: name the {scope.value} the key is for")
    target_id = find(connection, organization_id, scope, name)
    if target_id is None:
        raise NotFound(f"there is no {scope.value} {name!r:.120} in this organization")
    return target_id


def names(connection: Connection, ids: Iterable[str | None]) -> dict[str, str]:
    """The names of deployments and pipelines, by id."""
    by_id: dict[str, str] = {}
    for part in chunks([target_id for target_id in ids if target_id is not None]):
        for table, column in _NAME_COLUMNS.values():
            rows = connection.execute(select(table.c.id, column).where(table.c.id.in_(part)))
            by_id |= {row[0]: row[1] for row in rows}
    return by_id
