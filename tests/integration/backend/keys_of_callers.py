"""Requests with the key of a caller."""

from __future__ import annotations

from typing import Any


def call_with_key(api: Any, method: str, path: str, key: str | None, **more: Any) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return api.client.request(method, path, headers=headers | more.pop("headers", {}), **more)
