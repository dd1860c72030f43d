"""What a path allows: OPTIONS and 405 name the methods that are served, every one of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.integration.walk import filled, routes


def served(api: Any) -> dict[str, set[str]]:
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for method, path in routes(api.client.app):
        methods[path].add(method)
    return methods


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "HEAD"])
def test_allow_names_every_method_that_is_served(api: Any, method: str) -> None:
    headers = {"Authorization": api.last.request.headers["authorization"], "X-Organization-ID": api.organization}
    paths = served(api)
    for path, methods in paths.items():
        answer = api.client.request(method, filled(path), headers=headers)
        assert answer.status_code == (204 if method == "OPTIONS" else 405), (path, answer.text)
        assert set(answer.headers["allow"].split(", ")) == methods, path
    assert len(paths) > 60 and sum(len(methods) > 2 for methods in paths.values()) > 10


def test_what_is_served_over_a_websocket_alone_says_so(api: Any) -> None:
    path = filled("/api/v1/executions/{execution_id}/events")
    for method in ("GET", "POST"):
        answer = api.call(method, path, status=426)
        assert api.last.headers["upgrade"] == "websocket" and "WebSocket" in answer["detail"]
        assert "allow" not in api.last.headers
