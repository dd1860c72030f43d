"""The schemas of request bodies, from the structs that decode them.

Litestar describes a struct without the bounds of optional fields and without saying that unknown fields are refused;
msgspec, which decodes it, says both. What neither can say, such as one field that another requires, a struct states as
``json_rules``, beside its own check.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"


def describe(app: Litestar, described: dict[str, Any]) -> None:
    """Put the schemas of all bodies into an OpenAPI description, and those they refer to into its components."""
    bodies = _bodies(app)
    schemas, components = msgspec.json.schema_components(bodies.values(), ref_template=_REFERENCE)
    for kind in structs(app):
        if rules := getattr(kind, "json_rules", None):
            components[kind.__name__]["allOf"] = list(rules)
    described["components"]["schemas"] |= components
    for (path, method), schema in zip(bodies, schemas, strict=True):
        content = described["paths"][path][method]["requestBody"]["content"]
        content[_JSON]["schema"] = schema


def _bodies(app: Litestar) -> dict[tuple[str, str], Any]:
    """The type of the body of each operation."""
    return {
        (route.path_format, method.lower()): handler.parsed_fn_signature.parameters["data"].annotation
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "data" in handler.parsed_fn_signature.parameters
        for method in handler.http_methods
    }


def structs(app: Litestar) -> set[type[msgspec.Struct]]:
    """The structs that bodies are made of."""
    found: set[type[msgspec.Struct]] = set()
    pending = [msgspec.inspect.type_info(kind) for kind in _bodies(app).values()]
    while pending:
        info = pending.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                continue
            found.add(info.cls)
            pending += [field.type for field in info.fields]
        pending += [*getattr(info, "types", ()), *(getattr(info, name) for name in _INSIDE if hasattr(info, name))]
    return found


_INSIDE = ("item_type", "key_type", "value_type", "type")
"""Where msgspec keeps the types inside a collection, or below a constraint."""
