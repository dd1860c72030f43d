"""Management API of keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import Connection, select

from docfleet.backend.deployments import repository as deployments
from docfleet.backend.keys import repository
from docfleet.backend.keys.repository import NewKey, Scope
from docfleet.backend.pipelines import repository as pipelines
from docfleet.backend.platform.db import Database, Record, iso
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.pipelines import pipelines as pipelines_table
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.names import GivenName


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made. ``target`` is an api_name, a pipeline's name, or null for scope platform.

    ``expires_at`` is a time with its zone, in the future.
    """

    scope: Scope
    name: GivenName
    target: str | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def _described(row: Record, target: str | None) -> dict[str, Any]:
    return {
        "key_id": row.id,
        "scope": row.scope,
        "target": target,
        "name": row.name,
        "key_prefix": row.key_prefix,
        "is_active": row.is_active,
        "expires_at": iso(row.expires_at) or None,
        "created_at": iso(row.created_at),
        "last_used_at": iso(row.last_used_at) or None,
    }


def _target(connection: Connection, organization_id: str, body: KeyBody) -> str | None:
    if body.scope is Scope.PLATFORM:
        if body.target is not None:
            raise InvalidInput("a platform key is for the whole organization: leave target out")
        return None
    if not body.target:
        raise InvalidInput(f"target is missing: name the {body.scope.value} the key is for")
    if body.scope is Scope.DEPLOYMENT:
        found = deployments.by_name(connection, organization_id, body.target)
    else:
        found = pipelines.by_name(connection, organization_id, body.target)
    if found is None:
        raise NotFound(f"there is no {body.scope.value} {body.target!r:.120} in this organization")
    return str(found.id)


@post("/", sync_to_thread=True, summary="Make a key")
def create_key(
    data: JSONBody[KeyBody], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """The answer's ``key`` is shown this once; only a hash of it is kept."""
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at is in the past")
    with database.writing() as connection:
        new = NewKey(
            scope=data.scope,
            name=data.name,
            target_id=_target(connection, organization_id, data),
            expires_at=data.expires_at.timestamp() if data.expires_at else None,
        )
        key_id, key = repository.create(connection, organization_id, new)
        row = repository.find(connection, organization_id, key_id)
    return {**_described(row, data.target), "key": key}


@get("/", sync_to_thread=True, summary="List keys")
def list_keys(database: NamedDependency[Database], organization_id: NamedDependency[str]) -> dict[str, Any]:
    """Oldest first; never the keys themselves."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
        names: dict[str, str] = {}
        for table, column in ((api_deployments, "api_name"), (pipelines_table, "pipeline_name")):
            found = connection.execute(
                select(table.c.id, table.c[column]).where(table.c.organization_id == organization_id)
            )
            names |= {row[0]: row[1] for row in found}
    return {"keys": [_described(row, names.get(row.target_id)) for row in rows]}


@post("/{key_id:uuid}/revoke", status_code=200, sync_to_thread=True, summary="Revoke a key")
def revoke_key(
    key_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Close it for good; ``revoked`` is false when it was closed already."""
    with database.writing() as connection:
        return {"key_id": str(key_id), "revoked": repository.revoke(connection, organization_id, str(key_id))}


router = Router(path="/keys", route_handlers=[create_key, list_keys, revoke_key], tags=["keys"])
