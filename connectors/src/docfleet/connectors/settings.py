"""The settings of a connector against its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docfleet.connectors.base import ConnectorInfo
from docfleet.core import json_schema
from docfleet.core.errors import ConfigurationError


def connector_settings(info: ConnectorInfo, settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` as ``stored_settings`` returns them, checked against the connector's schema before they are stored.

    Raises ``ConfigurationError`` naming the field; the message never holds a value.
    """
    values = stored_settings(info, settings)
    for field, value in values.items():
        # JSON Schema takes 5432.0 for an integer; a connector would get the float.
        if isinstance(value, float) and info.json_schema["properties"][field].get("type") == "integer":
            raise _mistyped(info, field, "integer", value)
    for fault in json_schema.faults(info.json_schema, values):
        if fault.keyword == "type":
            raise _mistyped(info, fault.path, fault.expected, fault.value)
        raise ConfigurationError(f"connector {info.short_name}: field {fault.path!r} breaks the rule {fault.keyword!r}")
    return values


def _mistyped(info: ConnectorInfo, field: str, expected: Any, value: Any) -> ConfigurationError:
    return ConfigurationError(
        f"connector {info.short_name}: field {field!r} must be of type {expected}, not {type(value).__name__}"
    )


def stored_settings(info: ConnectorInfo, settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` without blanks and with the schema's defaults.

    Types are not checked again: a worker that opens a connector would load ``jsonschema`` for it. Raises
    ``ConfigurationError`` for an unknown or a missing field.
    """
    properties: dict[str, dict[str, Any]] = info.json_schema["properties"]
    for field in settings:
        if field not in properties:
            known = ", ".join(sorted(properties))
            raise ConfigurationError(f"connector {info.short_name}: unknown field {field!r}; it takes {known}")
    stated = {field: _number(properties[field], value) for field, value in settings.items() if not _is_blank(value)}
    values = json_schema.with_defaults(info.json_schema, stated)
    for field in info.json_schema.get("required", ()):
        if field not in values:
            raise ConfigurationError(f"connector {info.short_name}: field {field!r} is missing; set it")
    return values


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(rule: Mapping[str, Any], value: Any) -> Any:
    # Values of environment variables and forms are always text.
    is_digits = isinstance(value, str) and value.strip().isdecimal()
    return int(value) if is_digits and rule.get("type") == "integer" else value
