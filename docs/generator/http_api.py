"""`http-api.md`: from the OpenAPI document of the backend, and from the routes of the runner."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.testing import TestClient

from docfleet.backend.http.roles import least_role
from docs.generator.applications import KEY, backend, runner
from docs.generator.markdown import code, first_sentence, page, prose, table

MANAGEMENT = "Management"
SECTIONS = (
    ("Calls of deployments and pipelines", ("/deployment/",), "The key is the caller's own."),
    (
        "Platform keys",
        ("/api/v1/unstract/",),
        "The key is one of the organization, with a role or without: `docfleet keys create` makes it.",
    ),
    (
        MANAGEMENT,
        ("/api/v1/",),
        "The key is one of the organization with at least [the role](../howto/give-keys.md) that is named, or the "
        "internal key. With the internal key the header `X-Organization-ID` names the organization. The commands call "
        "these.",
    ),
    ("Workers", ("/internal/",), "The key is the internal key. Only workers call these; they may change with them."),
    ("Health", ("/",), "`/livez` and `/readyz` need no key, `/metrics` METRICS_API_KEY or the internal key."),
)
CALLERS = ("/deployment/", "/api/v1/unstract/")
HEAD = ("method", "path", "what it does", "parameters", "answers")


def document() -> dict[str, Any]:
    """The OpenAPI document as the backend serves it."""
    with backend() as app, TestClient(app) as client:
        answer = client.get("/schema/openapi.json", headers={"Authorization": f"Bearer {KEY}"})
        answer.raise_for_status()
        described: dict[str, Any] = answer.json()
        described["paths"].update(_sockets(app))
        return described


def _sockets(app: Litestar) -> dict[str, Any]:
    """The WebSocket routes, which OpenAPI does not describe."""
    return {
        re.sub(r":\w+}", "}", route.path): {"websocket": {"description": inspect.getdoc(handler.fn), "responses": {}}}
        for route in app.routes
        for handler in [getattr(route, "route_handler", None)]
        if isinstance(handler, WebsocketRouteHandler)
    }


def operations(paths: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str, str, str, str]]]:
    """The path and the row of each operation."""
    for path, methods in sorted(paths.items()):
        for method, operation in sorted(methods.items()):
            text = first_sentence(operation.get("description") or operation.get("summary"))
            parameters = [code(each["name"]) for each in operation.get("parameters", ()) if each["in"] == "query"]
            parameters += [f"body: {kind}" for kind in operation.get("requestBody", {}).get("content", ())]
            # Routes of callers list their refusals; those of the others are the same for all.
            least = 600 if path.startswith(CALLERS) else 400
            statuses = sorted(each for each in operation["responses"] if each.isdecimal() and int(each) < least)
            yield path, (method.upper(), code(path), text, ", ".join(parameters), ", ".join(statuses))


def _with_role(row: tuple[str, str, str, str, str]) -> tuple[str, ...]:
    """The row of a route of the management API, with the role that it requires."""
    return (*row, least_role(row[0], row[1].strip("`")) or "internal key")


def of_runner() -> list[tuple[str, str, str]]:
    """Method, path and meaning of each route of the runner."""
    routes = [
        (re.sub(r":\w+}", "}", route.path), method, first_sentence(inspect.getdoc(handler.fn)))
        for route in runner().routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods - {"OPTIONS"}
    ]
    return [(method, code(path), text) for path, method, text in sorted(routes)]


def render() -> str:
    """The page."""
    parts, placed = [], set()
    routes = list(operations(document()["paths"]))
    for title, prefixes, note in SECTIONS:
        rows = [row for path, row in routes if path.startswith(prefixes) and path not in placed]
        placed |= {path for path, _ in routes if path.startswith(prefixes)}
        if title == MANAGEMENT:
            parts += [f"## {title}", prose(note), table((*HEAD, "least role"), map(_with_role, rows))]
        else:
            parts += [f"## {title}", prose(note), table(HEAD, rows)]
    return page(
        "HTTP API",
        prose(
            "The backend describes itself at `/schema` (a page) and `/schema/openapi.json` (OpenAPI). "
            "Every call carries `Authorization: Bearer KEY`. An error is `application/problem+json`; "
            "[errors](errors.md) lists the codes. Any route may answer 400, 401, 403, 404, 409, 413, 422 or 503. "
            "[Call the API](../howto/call-the-api.md) shows calls."
        ),
        *parts,
        "## Runner",
        prose("The key is `RUNNER_API_KEY`; `/livez` and `/readyz` need none."),
        table(("method", "path", "what it does"), of_runner()),
    )
