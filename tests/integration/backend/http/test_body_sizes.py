"""Every body has a bound, and the answer beyond it names the bound."""

from __future__ import annotations

from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from docfleet.backend.http.routes import MAX_INTERNAL_REQUEST_BYTES
from docfleet.core.management import MAX_REQUEST_BYTES
from tests.integration.walk import filled

STREAMED = {"/deployment/api/{org_name}/{api_name}"}
"""Bodies with limits of their own: see ``test_form.py``."""


def handlers(api: Any) -> list[tuple[str, str, HTTPRouteHandler]]:
    return [
        (method, route.path_format, handler)
        for route in api.client.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method in ("POST", "PUT", "PATCH", "DELETE")
    ]


def test_every_body_is_bounded(api: Any) -> None:
    bounds = {path: handler.resolve_request_max_body_size() for _, path, handler in handlers(api)}
    for path, bound in bounds.items():
        expected = MAX_INTERNAL_REQUEST_BYTES if path.startswith("/internal/") else MAX_REQUEST_BYTES
        assert bound == (None if path in STREAMED else expected), path
    assert len(bounds) > 40


def test_a_body_beyond_it_is_refused_with_the_bound(api: Any) -> None:
    large = b'{"x":"' + b"y" * MAX_REQUEST_BYTES + b'"}'
    refused = 0
    for method, path, handler in handlers(api):
        if path.startswith("/internal/") or path in STREAMED or "data" not in handler.parsed_fn_signature.parameters:
            continue
        headers = {"Authorization": api.last.request.headers["authorization"], "X-Organization-ID": api.organization}
        for content in (large, iter([large])):  # of a known length, and in chunks
            answer = api.client.request(method, filled(path), content=content, headers=headers)
            assert answer.status_code == 413, (path, answer.text)
            assert answer.json()["code"] == "too_large" and str(MAX_REQUEST_BYTES) in answer.json()["detail"]
            refused += 1
    assert refused > 14


def test_an_internal_body_beyond_it_is_refused_with_the_bound(api: Any) -> None:
    content = b'{"x":"' + b"y" * MAX_INTERNAL_REQUEST_BYTES + b'"}'
    headers = {"Authorization": api.last.request.headers["authorization"], "X-Organization-ID": api.organization}
    answer = api.client.post("/internal/v1/logs/", content=content, headers=headers)
    assert answer.status_code == 413 and str(MAX_INTERNAL_REQUEST_BYTES) in answer.json()["detail"]
