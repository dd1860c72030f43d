"""The API's description: OpenAPI as JSON, and a page without external resources."""

from __future__ import annotations

import copy
from html import escape
from typing import Any

from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from docfleet.backend.http import bodies

PATH = "/schema"

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Docfleet API</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd}}
code{{font-size:.9em}}td:first-child{{font-weight:600}}</style></head><body>
<h1>Docfleet API</h1><p>Every call carries <code>Authorization: Bearer KEY</code> and <code>X-Organization-ID</code>.
The machine-readable description is <a href="{json}">openapi.json</a>.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What it does</th></tr></thead><tbody>{rows}</tbody></table>
</body></html>"""


PATHS_OF_CALLERS = ("/deployment/", "/api/v1/unstract/")
"""Routes of callers that have keys of their own; each states its own answers."""

OPEN = ("/livez", "/readyz")
"""What needs no key."""
_ERRORS = {
    "400": "Something in the request is wrong",
    "401": "The key is missing or wrong",
    "403": "The role of the key does not allow this",
    "404": "There is no such row in this organization",
    "409": "The present state does not allow this",
    "413": "The body is too large",
    "422": "Manual review is requested where it is not configured",
    "503": "Something the backend needs does not answer",
}
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "Problem details (RFC 9457); `code` is stable, `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        **{
            name: {"type": "string"}
            for name in ("type", "title", "detail", "code", "instance", "execution_id", "quota")
        },
        **{name: {"type": "integer"} for name in ("status", "used", "limit")},
        "errors": {"type": "array", "items": {"type": "string"}},
    },
}


class Page(OpenAPIRenderPlugin):
    """One static table of all operations: no script, no style and no picture from another host."""

    def __init__(self) -> None:
        super().__init__(path="/", favicon="", style="")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        rows = []
        for path, methods in sorted(openapi_schema.get("paths", {}).items()):
            for method, operation in methods.items():
                if isinstance(operation, dict):
                    text = operation.get("description") or operation.get("summary") or ""
                    cells = (method.upper(), f"<code>{escape(path)}</code>", escape(text))
                    rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        return _PAGE.format(json=f"{PATH}/openapi.json", rows="".join(rows)).encode()


class Description(JsonRenderPlugin):
    """OpenAPI as JSON, with the errors that every operation may answer with."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description."""
        described = copy.deepcopy(openapi_schema)
        bodies.describe(request.app, described)
        described["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
        for path, methods in described.get("paths", {}).items():
            for operation in methods.values():
                if isinstance(operation, dict):
                    _add_errors(path, operation)
                    if path in OPEN:
                        operation["security"] = []
        return self.render_json(request, described)


def _add_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if path.startswith(PATHS_OF_CALLERS):
        for status, response in responses.items():
            if int(status) >= 400:
                response.setdefault("content", {}).update(content)
        return
    if (exceeded := responses.get("429")) is not None:
        exceeded["content"] = content
    for status, text in _ERRORS.items():
        if path not in OPEN or status == "503":
            responses[status] = {"description": text, "content": content}


config = OpenAPIConfig(
    title="Docfleet",
    version="1",
    description="Public API under /deployment, management API under /api/v1, internal API under /internal/v1.",
    path=PATH,
    render_plugins=[Page(), Description()],
    use_handler_docstrings=True,
    components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
    security=[{"key": []}],
)
