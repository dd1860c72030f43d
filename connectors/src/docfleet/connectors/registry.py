"""The installed connectors: entry points of ``docfleet.connectors``.

A distribution plugs in a connector with one line in its ``pyproject.toml``; the class is imported only when that
connector is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from docfleet.connectors.base import ConnectorInfo, ConnectorMode, DatabaseConnector, FileSystemConnector
from docfleet.core.errors import ConfigurationError

GROUP = "docfleet.connectors"
_ALIASES = {"localstorage": "local"}  # the original's id says localstorage, people write local


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def connector_names() -> tuple[str, ...]:
    """The names of the installed connectors; imports none of them."""
    return tuple(sorted(_installed()))


def connectors() -> dict[str, type[Any]]:
    """Every installed connector class by name. Imports all of them, database libraries included."""
    return {name: connector_class(name) for name in connector_names()}


def connector_class(connector_id: str) -> type[Any]:
    """The class of a connector, by name (``sqlite``) or id (``sqlite|uuid``).

    Raises ``ConfigurationError`` listing the installed names, or naming a library that its module cannot do without.
    """
    name = connector_id.partition("|")[0]
    point = _installed().get(_ALIASES.get(name, name))
    loaded = _load(point) if point else None
    if loaded is None or ("|" in connector_id and loaded.info.connector_id != connector_id):
        known = ", ".join(connector_names())
        raise ConfigurationError(f"unknown connector {connector_id!r}; installed are {known}")
    return loaded


def _load(point: EntryPoint) -> type[Any]:
    try:
        return cast("type[Any]", point.load())
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"connector {point.name} needs the library {error.name}, which is missing: install it"
        ) from error


def connector_info(connector_id: str) -> ConnectorInfo:
    """The description of a connector. Raises ``ConfigurationError`` when it is not installed."""
    return cast("ConnectorInfo", connector_class(connector_id).info)


def open_connector(connector_id: str, settings: Mapping[str, Any]) -> FileSystemConnector | DatabaseConnector:
    """Make a connector for use inside this process; nothing is contacted yet. The caller closes it.

    Raises ``ConfigurationError`` for an unknown connector or a wrong field.
    """
    return cast("FileSystemConnector | DatabaseConnector", connector_class(connector_id)(settings))


def open_file_system(connector_id: str, settings: Mapping[str, Any]) -> FileSystemConnector:
    """``open_connector`` for one that holds files; raises ``ConfigurationError`` for any other."""
    _require(connector_id, ConnectorMode.FILESYSTEM)
    return cast("FileSystemConnector", open_connector(connector_id, settings))


def open_database(connector_id: str, settings: Mapping[str, Any]) -> DatabaseConnector:
    """``open_connector`` for one that holds rows; raises ``ConfigurationError`` for any other."""
    _require(connector_id, ConnectorMode.DATABASE)
    return cast("DatabaseConnector", open_connector(connector_id, settings))


def _require(connector_id: str, mode: ConnectorMode) -> None:
    if (actual := connector_info(connector_id).mode) is not mode:
        raise ConfigurationError(
            f"connector {connector_id!r} is a {actual.lower()} connector; a {mode.lower()} connector is needed"
        )
