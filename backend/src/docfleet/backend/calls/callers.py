"""The caller of a public route: it has a bearer key of the right scope for the right target."""

from __future__ import annotations

import msgspec

from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.deployments import repository as deployments
from docfleet.backend.keys import repository as keys
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.pipelines import repository as pipelines
from docfleet.backend.platform.db import Database, Record
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.ids import parse_id
from docfleet.core.management.keys import Scope


class Caller(msgspec.Struct, frozen=True):
    """An admitted caller. ``target`` is the row of the deployment, the pipeline or the organization. ``overrides`` are
    the organization's settings."""

    organization_id: str
    target: Record
    key: Record
    overrides: dict[str, int] = {}

    @property
    def concurrent_limit(self) -> int | None:
        """The organization's API_CONCURRENT_REQUEST_LIMIT."""
        return self.overrides.get("API_CONCURRENT_REQUEST_LIMIT")


def bearer(header: str) -> str:
    """The key of an ``Authorization`` header. Raises ``CallRefused`` (403)."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise CallRefused(403, "permission_denied", "no key: send `Authorization: Bearer KEY`")
    return key.strip()


def _wrong_key() -> CallRefused:
    return CallRefused(
        401, "authentication_failed", "the key is wrong, revoked, expired or another's: ask for a new one"
    )


def _refusal(key: Record | None, organization_id: str, detail: str) -> CallRefused:
    """The refusal of a call of what is not there. Only who has a key of the organization learns that: to everybody else
    it is a wrong key, as for what is there."""
    if key is None or key.organization_id != organization_id:
        return _wrong_key()
    return CallRefused(404, "not_found", detail)


def deployment(database: Database, organization_id: str, api_name: str, header: str) -> Caller:
    """Admit a call of an API. Raises ``CallRefused``: 403 without key, 401 for a wrong key, 404 for an unknown API."""
    key = bearer(header)
    with database.reading() as connection:
        row = deployments.by_name(connection, organization_id, api_name)
        overrides = organizations.settings(connection, organization_id)
        key_row = keys.find_valid(connection, key, Scope.DEPLOYMENT)
    if row is None or not row.is_active:
        raise _refusal(key_row, organization_id, f"there is no API {api_name!r:.120} in this organization")
    if key_row is None or key_row.target_id != row.id:
        raise _wrong_key()
    keys.note_use(database, key_row)
    return Caller(organization_id, row, key_row, overrides)


def pipeline(database: Database, organization_id: str, pipeline_id: str, header: str) -> Caller:
    """Admit the trigger of a pipeline. Raises ``CallRefused``: 403, 401, 404, and 422 for an inactive pipeline."""
    key = bearer(header)
    with database.reading() as connection:
        key_row = keys.find_valid(connection, key, Scope.PIPELINE)
        try:
            row = pipelines.find(connection, organization_id, parse_id(pipeline_id))
        except (NotFound, InvalidInput) as error:
            raise _refusal(key_row, organization_id, "there is no such pipeline in this organization") from error
    if key_row is None or key_row.target_id != row.id:
        raise _wrong_key()
    keys.note_use(database, key_row)
    if not row.active:
        raise CallRefused(422, "inactive", f"pipeline {row.pipeline_name!r} is not active: activate it first")
    return Caller(organization_id, row, key_row)


def platform(database: Database, header: str) -> Caller:
    """Admit a reader of an organization's description. Raises ``CallRefused`` (401)."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise _wrong_key()
    with database.reading() as connection:
        key_row = keys.find_valid(connection, key.strip(), Scope.PLATFORM)
        if key_row is None:
            raise _wrong_key()
        row = organizations.find(connection, key_row.organization_id)
    keys.note_use(database, key_row)
    return Caller(key_row.organization_id, row, key_row)  # type: ignore[arg-type]  # a key's organization is never deleted
