"""The table of the routes that only the original's workers call."""

from __future__ import annotations

import re

from litestar import Router

from docfleet.backend.http import original


def _without_parameters(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_table_names_every_route() -> None:
    table = re.findall(r"^    (GET|POST|PUT) +(\S+) +\S", original.__doc__ or "", flags=re.MULTILINE)
    router = Router(path="/", route_handlers=original.handlers)
    routes = {
        (method, _without_parameters(route.path))
        for route in router.routes
        for method in route.methods - {"OPTIONS", "HEAD"}
    }
    assert len(table) == 20
    assert {(method, _without_parameters(path)) for method, path in table} == routes
