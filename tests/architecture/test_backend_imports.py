"""The contracts about the backend hold, and a forbidden import breaks the one that forbids it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

from tests.repository import REPOSITORY as ROOT

TYPES: dict[str, type[Contract]] = {
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}
CONFIGURATION: dict[str, Any] = read_configuration(str(ROOT / "pyproject.toml"))
OPTIONS: dict[str, dict[str, Any]] = {options["name"]: options for options in CONFIGURATION["contracts_options"]}

INDEPENDENT = "Connectors, providers and tools know nothing of each other"
FLOORS = "The backend has floors: imports fall"
CALLERS = "Routes are sorted by caller, and callers' routes know nothing of each other"
NO_SQL = "No SQL in routes"
NO_WEB = "Only app and routes know the web framework"

B = "docfleet.backend"
HTTP = f"{B}.http"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    roots = CONFIGURATION["session_options"]["root_packages"]
    return grimp.build_graph(*roots, include_external_packages=True, cache_dir=None)


def is_kept(name: str, graph: grimp.ImportGraph) -> bool:
    contract = TYPES[OPTIONS[name]["type"]](name, CONFIGURATION["session_options"], OPTIONS[name])
    # A copy, as the check takes ignored imports out of it.
    return contract.check(deepcopy(graph), verbose=False).kept


@pytest.mark.parametrize("name", [INDEPENDENT, FLOORS, CALLERS, NO_SQL, NO_WEB])
def test_the_backend_keeps_its_contracts(name: str, graph: grimp.ImportGraph) -> None:
    assert is_kept(name, graph)


@pytest.mark.parametrize(
    ("name", "importer", "imported"),
    [
        (INDEPENDENT, "docfleet.connectors.registry", "docfleet.providers.registry"),
        (INDEPENDENT, "docfleet.providers.webhook", "docfleet.connectors.registry"),
        (INDEPENDENT, "docfleet.tools.registry", "docfleet.connectors.registry"),
        (FLOORS, f"{HTTP}.guard", f"{B}.app"),
        (FLOORS, f"{B}.housekeeping", f"{HTTP}.problems"),
        (FLOORS, f"{B}.calls.service", f"{HTTP}.management.deployments"),
        (FLOORS, f"{B}.executions.finalize", f"{B}.calls.staging"),
        (FLOORS, f"{B}.logs.history", f"{B}.executions.repository"),
        (FLOORS, f"{B}.notifications.outbox", f"{B}.pipelines.repository"),
        (FLOORS, f"{B}.files.history", f"{B}.workflows.repository"),
        (FLOORS, f"{B}.keys.repository", f"{B}.usage.repository"),
        (FLOORS, f"{B}.tables.files", f"{B}.files.listing"),
        (FLOORS, f"{B}.platform.db", f"{B}.tables.schema"),
        (CALLERS, f"{HTTP}.workers.executions", f"{HTTP}.original.executions"),
        (CALLERS, f"{HTTP}.calls.platform", f"{HTTP}.management.deployments"),
        (CALLERS, f"{HTTP}.problems", f"{HTTP}.calls.formats"),
        (NO_SQL, f"{HTTP}.workers.executions", "sqlalchemy"),
        (NO_SQL, f"{HTTP}.original.files", f"{B}.tables.files"),
        (NO_WEB, f"{B}.calls.presigned", "litestar"),
        (NO_WEB, f"{B}.files.listing", "litestar"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    name: str, importer: str, imported: str, graph: grimp.ImportGraph
) -> None:
    assert {importer, imported} <= graph.modules
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not is_kept(name, graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)
