"""Deny by default: a route is open only when it states so.

``opt={"public": True}`` opens a route without key; ``opt={"organization": False}`` needs no organization;
``opt={"metrics": True}`` opens it to the key of metrics, too. The internal key opens every route. A key of an
organization opens the management API of that organization, as far as its role goes (``roles``).
"""

from __future__ import annotations

import hmac
from typing import Any, NamedTuple, Self

import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from docfleet.backend.http.roles import least_role
from docfleet.backend.keys import repository as keys
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Database
from docfleet.core.errors import Forbidden, InvalidInput, NotAllowed, NotFound
from docfleet.core.management.keys import KEY_PREFIX, Role, Scope

ORGANIZATION_HEADER = "X-Organization-ID"
SUBPROTOCOL = "docfleet"
"""A browser cannot set headers of a WebSocket. It offers this subprotocol with two more: ``key.KEY`` and
``organization.ID``. The answer names only this one."""

type Connection = ASGIConnection[Any, Any, Any, Any]


class Credentials(NamedTuple):
    """What a caller sent: a key, blank where there is none, and the organization it names."""

    key: str
    organization_id: str

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """From the headers, else from the subprotocols of a WebSocket."""
        offered = _from_subprotocols(connection)
        header = connection.headers.get("Authorization") or f"Bearer {offered.get('key', '')}"
        scheme, _, key = header.partition(" ")
        organization_id = connection.headers.get(ORGANIZATION_HEADER) or offered.get("organization", "")
        return cls(key.strip() if scheme.lower() == "bearer" else "", organization_id)


class Guard:
    """The application's guard: key first, then organization.

    Raises ``NotAllowed``, ``Forbidden``, ``InvalidInput``, ``NotFound``.
    """

    def __init__(
        self, internal_keys: tuple[str, ...], metrics_keys: tuple[str, ...], database: Database, open_path: str
    ) -> None:
        self._internal_keys = internal_keys
        self._metrics_keys = metrics_keys
        self._database = database
        self._open_path = open_path
        self._known: set[str] = set()  # organizations are never deleted

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raise unless the call is allowed."""
        path = connection.url.path.rstrip("/")
        if handler.opt.get("public") or path == self._open_path or path.startswith(self._open_path + "/"):
            return
        given = Credentials.of(connection)
        if handler.opt.get("metrics") and _is_one_of(given.key, self._metrics_keys):
            return
        if _is_one_of(given.key, self._internal_keys):
            if handler.opt.get("organization") is not False:
                connection.state.organization_id = await self._existing(given.organization_id)
            return
        method = str(connection.scope.get("method", "WEBSOCKET"))
        needed = least_role(method, str(connection.scope["path_template"]))
        connection.state.organization_id = await anyio.to_thread.run_sync(self._admit, given, needed)

    def _admit(self, given: Credentials, needed: Role | None) -> str:
        """The organization of the key that was given, when its role is enough."""
        # Another organization's key is a wrong key: the answer must not tell which organizations there are.
        key = self._key_of(given)
        if key is None or given.organization_id not in ("", key.organization_id):
            raise NotAllowed("the key is missing or wrong: send `Authorization: Bearer KEY`")
        keys.note_use(self._database, key)
        if needed is None:
            raise Forbidden(
                "a key of an organization does not open this: it is for who runs the backend, "
                "with its internal key (INTERNAL_SERVICE_API_KEY)"
            )
        if key.role is None or not Role(key.role).includes(needed):
            has = f"has the role {key.role}" if key.role else "has no role"
            raise Forbidden(
                f"this key {has}, and the call needs the role {needed}: use another key, or have an admin make one "
                f"with `docfleet keys create --role {needed}`"
            )
        return str(key.organization_id)

    def _key_of(self, given: Credentials) -> Any:
        if not given.key.startswith(KEY_PREFIX):
            return None
        with self._database.reading() as connection:
            return keys.find_valid(connection, given.key, Scope.PLATFORM)

    async def _existing(self, organization_id: str) -> str:
        if not organization_id:
            raise InvalidInput(f"header {ORGANIZATION_HEADER} is missing: name the organization of the call")
        if organization_id not in self._known:
            if not await anyio.to_thread.run_sync(self._exists, organization_id):
                raise NotFound(
                    f"there is no organization {organization_id!r:.120}: "
                    "check the id, or make it with `docfleet organizations create ID`"
                )
            self._known.add(organization_id)
        return organization_id

    def _exists(self, organization_id: str) -> bool:
        with self._database.reading() as connection:
            return organizations.find(connection, organization_id) is not None


def _is_one_of(given: str, known: tuple[str, ...]) -> bool:
    # Every key is compared, so that the time does not tell which one came close.
    key = given.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(key, each.encode()) for each in known]
    return any(matches)


def _from_subprotocols(connection: Connection) -> dict[str, str]:
    """Key and organization from the subprotocols of a WebSocket."""
    protocols = connection.scope.get("subprotocols") or []
    if SUBPROTOCOL not in protocols:  # type: ignore[operator]
        return {}
    parts = (protocol.partition(".") for protocol in protocols)  # type: ignore[attr-defined]
    return {name: value for name, _, value in parts if name in ("key", "organization")}
