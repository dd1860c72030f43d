"""Internal routes on a port of their own."""

from __future__ import annotations

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from docfleet.core.errors import NotFound


class OwnPort:
    """A guard: below ``prefix`` only calls of ``port`` are served; None serves them everywhere. Raises ``NotFound``.

    It comes after the check of the key, and so does not tell a stranger of the port.
    """

    def __init__(self, port: int | None, prefix: str) -> None:
        self._port = port
        self._prefix = prefix

    def __call__(self, connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        """Raise unless the call came in where it may."""
        if self._port is None or not connection.scope["path_template"].startswith(self._prefix):
            return
        _, port = connection.scope["server"] or (None, None)
        if port != self._port:
            raise NotFound(f"internal routes are not served here: call port {self._port} (BACKEND_INTERNAL_PORT)")
