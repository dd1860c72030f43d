"""What a key or a notification is for: a deployment or a pipeline, which people know by its name."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from docfleet.backend.deployments import repository as deployments
from docfleet.backend.pipelines import repository as pipelines
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.management.keys import Scope


def find(connection: Connection, organization_id: str, scope: Scope, name: str) -> str | None:
    """The id of the deployment or pipeline of this name; None when there is none."""
    of = deployments if scope is Scope.DEPLOYMENT else pipelines
    row = of.by_name(connection, organization_id, name)
    return None if row is None else str(row.id)


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
    wanted = [target for target in ids if target is not None]
    return {**deployments.names(connection, wanted), **pipelines.names(connection, wanted)}
