"""``Allow``: the methods of a path (RFC 9110, 10.2.1)."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope


async def complete(message: Message, scope: Scope) -> None:
    """Name every method in the answer to OPTIONS. Litestar names those of the handler that was registered first."""
    if message["type"] != "http.response.start" or scope.get("method") != "OPTIONS":
        return
    headers = MutableScopeHeaders.from_message(message)
    if "allow" in headers:
        template = scope["path_template"]
        routes = (route for route in scope["litestar_app"].routes if route.path_format == template)
        headers["allow"] = ", ".join(sorted({method for route in routes for method in route.methods}))
