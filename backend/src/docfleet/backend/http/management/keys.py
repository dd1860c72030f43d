"""Management API of keys."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.keys import repository, targets
from docfleet.backend.keys.repository import NewKey
from docfleet.backend.platform.db import Database
from docfleet.core.errors import InvalidInput
from docfleet.core.management.keys import CreatedKey, KeyList, KeyRequest, RevokedKey, Scope


@post("/", sync_to_thread=True, summary="Make a key")
def create_key(
    data: JSONBody[KeyRequest], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> CreatedKey:
    """The answer's ``key`` is shown this once; only a hash of it is kept. A key of scope platform with a ``role``
    opens this API for its organization."""
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at is in the past")
    if data.role is not None and data.scope is not Scope.PLATFORM:
        raise InvalidInput(f"a key of scope {data.scope} has no role: leave role out, or make a key of scope platform")
    with database.writing() as connection:
        new = NewKey(
            scope=data.scope,
            name=data.name,
            role=data.role,
            target_id=targets.of_key(connection, organization_id, data.scope, data.target),
            expires_at=data.expires_at.timestamp() if data.expires_at else None,
        )
        key_id, key = repository.create(connection, organization_id, new)
        row = repository.find(connection, organization_id, key_id)
    return repository.describe_new(row, data.target, key)


@get("/", sync_to_thread=True, summary="List keys")
def list_keys(database: NamedDependency[Database], organization_id: NamedDependency[str]) -> KeyList:
    """Oldest first; never the keys themselves."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
        names = targets.names(connection, (row.target_id for row in rows))
    return KeyList([repository.describe(row, names.get(row.target_id)) for row in rows])


@post("/{key_id:uuid}/revoke", status_code=200, sync_to_thread=True, summary="Revoke a key")
def revoke_key(
    key_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> RevokedKey:
    """Revoke a key for good; ``revoked`` is false when it was revoked before."""
    with database.writing() as connection:
        return RevokedKey(str(key_id), repository.revoke(connection, organization_id, str(key_id)))


router = Router(path="/keys", route_handlers=[create_key, list_keys, revoke_key], tags=["keys"])
