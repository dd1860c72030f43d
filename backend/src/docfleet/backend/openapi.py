"""The API's description: OpenAPI as JSON, and a page that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

PATH = "/schema"

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Docfleet API</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd}}
code{{font-size:.9em}}td:first-child{{font-weight:600}}</style></head><body>
<h1>Docfleet API</h1><p>Every call carries <code>Authorization: Bearer KEY</code> and <code>X-Organization-ID</code>.
The machine-readable description is <a href="{json}">openapi.json</a>.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What it does</th></tr></thead><tbody>{rows}</tbody></table>
</body></html>"""


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


config = OpenAPIConfig(
    title="Docfleet",
    version="1",
    description="Management API under /api/v1; internal API of the workers under /internal/v1.",
    path=PATH,
    render_plugins=[Page(), JsonRenderPlugin(path="/openapi.json")],
    use_handler_docstrings=True,
    components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
    security=[{"key": []}],
)
