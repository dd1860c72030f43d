"""The installed connectors as people and forms see them, those whose library is missing among them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from docfleet.connectors.base import ConnectorInfo
from docfleet.connectors.registry import connector_info, connector_names
from docfleet.core.errors import ConfigurationError
from docfleet.core.management.connectors import ConnectorDescription


def descriptions() -> list[ConnectorDescription]:
    """Every installed connector, by name. Imports all of them, but not their libraries."""
    return [describe(name) for name in connector_names()]


def describe(name: str) -> ConnectorDescription:
    """One connector by name. ``problem`` says why it cannot be described.

    Raises ``ConfigurationError`` when no connector has this name.
    """
    try:
        info = connector_info(name)
    except ConfigurationError as error:
        if name not in connector_names():
            raise
        return ConnectorDescription(name=name, problem=error.message)
    return ConnectorDescription(
        name=name,
        connector_id=info.connector_id,
        title=info.name,
        description=info.description,
        mode=info.mode.value,
        can_read=info.can_read,
        can_write=info.can_write,
        tested=info.tested,
        extra=info.extra,
        missing=missing_libraries(info),
        json_schema=marked_schema(info),
        secrets=list(info.secrets),
    )


def missing_libraries(info: ConnectorInfo) -> list[str]:
    """The modules of the connector's libraries that are not installed. Imports none of them."""
    return [library for library in info.libraries if not _is_installed(library)]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def marked_schema(info: ConnectorInfo) -> dict[str, Any]:
    """The connector's JSON Schema; its secrets have ``writeOnly`` and the format ``password``."""
    secret = {"writeOnly": True, "format": "password"}
    properties = {
        field: rule | secret if field in info.secrets else rule
        for field, rule in info.json_schema.get("properties", {}).items()
    }
    return info.json_schema | {"properties": properties}
