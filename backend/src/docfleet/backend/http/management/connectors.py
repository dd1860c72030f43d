"""Management API of connectors: what can be a source or a destination, and whether it works.

The answers are the same for every organization; the handlers take one, because no call is answered without.
"""

from __future__ import annotations

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.connectors.catalogue import describe, descriptions
from docfleet.connectors.probe import probe
from docfleet.connectors.registry import connector_names
from docfleet.core.errors import NotFound
from docfleet.core.management.connectors import (
    ConnectorDescription,
    ConnectorList,
    ConnectorTestRequest,
    ConnectorTestResult,
)


@get("/", sync_to_thread=True, summary="List connectors")
def list_connectors(organization_id: NamedDependency[str]) -> ConnectorList:
    """By name, each with the JSON Schema of its settings. Those whose library the backend lacks are there, too."""
    return ConnectorList(descriptions())


@get("/{name:str}", sync_to_thread=True, summary="Show a connector")
def show_connector(name: FromPath[str], organization_id: NamedDependency[str]) -> ConnectorDescription:
    """With the JSON Schema of its settings; secrets have ``writeOnly``."""
    return describe(_known(name))


@post("/{name:str}/test", status_code=200, sync_to_thread=True, summary="Test a connector")
def test_connector(
    name: FromPath[str], data: JSONBody[ConnectorTestRequest], organization_id: NamedDependency[str]
) -> ConnectorTestResult:
    """Try the settings from the backend: what its machine cannot reach fails, also where workers can reach it.

    A source is listed, a destination gets a file or a table that is removed again. Nothing is stored. A step that
    fails is part of the answer; 400 means that the settings are refused.
    """
    return probe(_known(name), data.settings, data.direction, data.configuration)


def _known(name: str) -> str:
    if name not in connector_names():
        raise NotFound(f"there is no connector {name!r:.100}; installed are {', '.join(connector_names())}")
    return name


router = Router(
    path="/connectors", route_handlers=[list_connectors, show_connector, test_connector], tags=["connectors"]
)
