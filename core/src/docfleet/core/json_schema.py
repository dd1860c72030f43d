"""The one check of settings against a JSON Schema (Draft 2020-12), with defaults filled in.

``jsonschema`` costs 130 ms and 3 MB to import: a process loads it with its first check, or with ``preload``.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple


class SchemaFault(NamedTuple):
    """A place where a value does not satisfy its schema.

    ``path`` is its place (``rules[0].name``; empty: the value itself), ``keyword`` the rule of the schema (``type``,
    ``required``), ``expected`` what the rule states. ``message`` is for people and may repeat the value.
    """

    path: str
    keyword: str
    expected: Any
    value: Any
    message: str


def preload() -> None:
    """Import what a check needs, before a process forks."""
    importlib.import_module("jsonschema")


def with_defaults(schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``settings`` with the schema's defaults for absent keys, in nested objects too."""
    filled = copy.deepcopy(settings)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = copy.deepcopy(part["default"])
        elif isinstance(filled.get(name), dict):
            filled[name] = with_defaults(part, filled[name])
    return filled


def faults(schema: dict[str, Any], value: Any) -> Iterator[SchemaFault]:
    """Every fault of ``value``, ordered by path."""
    from jsonschema import Draft202012Validator

    for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: str(error.json_path)):
        path = error.json_path.removeprefix("$").lstrip(".")
        yield SchemaFault(path, str(error.validator), error.validator_value, error.instance, error.message)
