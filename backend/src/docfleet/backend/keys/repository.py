"""Reads and writes of keys. A key is shown once, when it is made; only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, or_, select, update

from docfleet.backend.platform.db import Database, Record, clean, db_now, iso
from docfleet.backend.tables.keys import api_keys
from docfleet.core.errors import NotFound
from docfleet.core.ids import new_id
from docfleet.core.management.keys import KEY_PREFIX, CreatedKey, Key, Role, Scope

LAST_USE_INTERVAL_SECONDS = 60.0
"""The last use is noted at most this often, so that a call does not cost a write."""


class NewKey(msgspec.Struct, kw_only=True):
    """A key to be made; ``expires_at`` in epoch seconds."""

    scope: Scope
    name: str
    role: Role | None = None
    target_id: str | None = None
    expires_at: float | None = None


def _hash(key: str) -> str:
    # A key is 256 random bits: nothing to guess, so a plain hash is enough and can be looked up.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def create(connection: Connection, organization_id: str, new: NewKey) -> tuple[str, str]:
    """Make a key: its id, and the key itself."""
    key, key_id = KEY_PREFIX + secrets.token_urlsafe(32), new_id()
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            organization_id=organization_id,
            scope=new.scope.value,
            role=new.role.value if new.role else None,
            target_id=new.target_id,
            name=clean(new.name),
            key_hash=_hash(key),
            key_prefix=key[:8],
            key_suffix=key[-4:],
            is_active=True,
            expires_at=new.expires_at,
            created_at=db_now(),
        )
    )
    return key_id, key


def find(connection: Connection, organization_id: str, key_id: str) -> Record:
    """The key's row. Raises ``NotFound``."""
    row = connection.execute(
        select(api_keys).where(api_keys.c.id == key_id, api_keys.c.organization_id == organization_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no key {key_id} in this organization")
    return row


def listing(connection: Connection, organization_id: str) -> list[Record]:
    """The organization's keys, oldest first."""
    where = api_keys.c.organization_id == organization_id
    return list(connection.execute(select(api_keys).where(where).order_by(api_keys.c.created_at, api_keys.c.id)))


def revoke(connection: Connection, organization_id: str, key_id: str) -> bool:
    """Revoke the key for good; False when it was revoked before. Raises ``NotFound``."""
    find(connection, organization_id, key_id)
    statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.is_active).values(is_active=False)
    return connection.execute(statement).rowcount == 1


def delete_of_target(connection: Connection, scope: Scope, target_id: str) -> None:
    """Delete the keys of something that is deleted."""
    connection.execute(api_keys.delete().where(api_keys.c.scope == scope.value, api_keys.c.target_id == target_id))


_OPENS = (
    select(api_keys, db_now().label("now"))
    .where(api_keys.c.key_hash == bindparam("hash"), api_keys.c.scope == bindparam("of_scope"), api_keys.c.is_active)
    .where(or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > db_now()))
)


def find_valid(connection: Connection, key: str, scope: Scope) -> Record | None:
    """The row of ``key`` when it is valid and of this scope. A caller who is admitted by it calls ``note_use``."""
    return connection.execute(_OPENS, {"hash": _hash(key), "of_scope": scope.value}).one_or_none()


def note_use(database: Database, row: Record) -> None:
    """Note the use of a key. ``row`` comes from ``find_valid``."""
    if row.last_used_at is None or row.last_used_at < row.now - LAST_USE_INTERVAL_SECONDS:
        with database.writing() as connection:
            connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(last_used_at=db_now()))


def describe(row: Record, target: str | None) -> Key:
    """The key of a row; ``target`` is the name of what it is for."""
    return Key(**_columns(row), target=target)


def describe_new(row: Record, target: str | None, key: str) -> CreatedKey:
    """As ``describe``, with the ``key`` itself."""
    return CreatedKey(**_columns(row), target=target, key=key)


def _columns(row: Record) -> dict[str, Any]:
    return {
        "key_id": row.id,
        "scope": Scope(row.scope),
        "role": Role(row.role) if row.role else None,
        "name": row.name,
        "key_prefix": row.key_prefix,
        "key_suffix": row.key_suffix,
        "is_active": row.is_active,
        "expires_at": iso(row.expires_at) or None,
        "created_at": iso(row.created_at),
        "last_used_at": iso(row.last_used_at) or None,
    }
