"""JSON values of answers. The public API and the original's API return every key, defaults included."""

from __future__ import annotations

from typing import Any

import msgspec


def with_defaults(value: Any) -> Any:
    """A wire type as JSON values, no key omitted. (Between our own processes, defaults are omitted.)"""
    if isinstance(value, msgspec.Struct):
        return {name: with_defaults(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: with_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_defaults(item) for item in value]
    return value
