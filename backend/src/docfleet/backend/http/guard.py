"""Deny by default: a route is open only when it states so.

``opt={"public": True}`` opens a route without key; ``opt={"organization": False}`` needs no organization.
"""

from __future__ import annotations

import hmac

import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Database
from docfleet.core.errors import InvalidInput, NotAllowed, NotFound

ORGANIZATION_HEADER = "X-Organization-ID"
SUBPROTOCOL = "docfleet"
"""A browser cannot set headers of a WebSocket. It offers this subprotocol with two more: ``key.KEY`` and
``organization.ID``. The answer names only this one."""


class Guard:
    """The application's guard: key first, then organization. Raises ``NotAllowed``, ``InvalidInput``, ``NotFound``."""

    def __init__(self, keys: tuple[str, ...], database: Database, open_path: str) -> None:
        self._keys = tuple(key.encode() for key in keys)
        self._database = database
        self._open_path = open_path
        self._known: set[str] = set()  # organizations are never deleted

    async def __call__(self, connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        """Raise unless the call is allowed."""
        path = connection.url.path.rstrip("/")
        if handler.opt.get("public") or path == self._open_path or path.startswith(self._open_path + "/"):
            return
        credentials = _from_subprotocols(connection)
        self._check_key(connection.headers.get("Authorization") or f"Bearer {credentials.get('key', '')}")
        if handler.opt.get("organization") is False:
            return
        organization_id = connection.headers.get(ORGANIZATION_HEADER) or credentials.get("organization", "")
        if not organization_id:
            raise InvalidInput(f"header {ORGANIZATION_HEADER} is missing: name the organization of the call")
        if organization_id not in self._known:
            if not await anyio.to_thread.run_sync(self._exists, organization_id):
                raise NotFound(
                    f"there is no organization {organization_id!r:.120}: "
                    "check the id, or make it with `docfleet organizations create ID`"
                )
            self._known.add(organization_id)
        connection.state.organization_id = organization_id

    def _check_key(self, header: str) -> None:
        scheme, _, key = header.partition(" ")
        given = key.strip().encode("utf-8", "surrogateescape")
        # Every key is compared, so that the time does not tell which one came close.
        matches = [hmac.compare_digest(given, known) for known in self._keys]
        if scheme.lower() != "bearer" or not any(matches):
            raise NotAllowed("the key is missing or wrong: send `Authorization: Bearer KEY`")

    def _exists(self, organization_id: str) -> bool:
        with self._database.reading() as connection:
            return organizations.find(connection, organization_id) is not None


def _from_subprotocols(connection: ASGIConnection) -> dict[str, str]:  # type: ignore[type-arg]
    """Key and organization from the subprotocols of a WebSocket."""
    protocols = connection.scope.get("subprotocols") or []
    if SUBPROTOCOL not in protocols:  # type: ignore[operator]
        return {}
    parts = (protocol.partition(".") for protocol in protocols)  # type: ignore[attr-defined]
    return {name: value for name, _, value in parts if name in ("key", "organization")}
