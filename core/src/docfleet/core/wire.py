"""The base of every wire type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from docfleet.core.errors import InvalidInput


def _without_nulls(data: Mapping[str, Any]) -> dict[str, Any]:
    # The original's backend sends explicit nulls in place of defaults.
    return {key: value for key, value in data.items() if value is not None}


class Wire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Base of the wire types: JSON-ready dicts out, checked dicts in."""

    def to_dict(self) -> dict[str, Any]:
        """A dict of JSON values; defaults are omitted."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build from a decoded message. Raises ``InvalidInput`` naming the key that does not fit."""
        if not isinstance(data, Mapping):
            raise InvalidInput(f"{cls.__name__}: expected an object, got {type(data).__name__}")
        try:
            return msgspec.convert(_without_nulls(data), cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{cls.__name__}: {error}") from error
