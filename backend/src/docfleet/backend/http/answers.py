"""Answers of the compatible and the public API carry every key, defaults included."""

from __future__ import annotations

from typing import Any

import msgspec


def whole(value: Any) -> Any:
    """A wire type as JSON values with no key left out (between our own processes defaults are omitted)."""
    if isinstance(value, msgspec.Struct):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [whole(item) for item in value]
    return value
