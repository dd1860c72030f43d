"""The import contracts hold, and a forbidden import breaks the one that forbids it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

from tests.repository import REPOSITORY

TYPES: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}
CONFIGURATION: dict[str, Any] = read_configuration(str(REPOSITORY / "pyproject.toml"))
SESSION = CONFIGURATION["session_options"]
OPTIONS: dict[str, dict[str, Any]] = {options["name"]: options for options in CONFIGURATION["contracts_options"]}

MEMBERS = "Imports flow one way"
LIGHT = "Workers stay light: no ORM, no web framework, no Django"
PARTS = "Connectors, providers and tools know nothing of each other"
FLOORS = "The backend has floors: imports fall"
CALLERS = "Routes are sorted by caller, and callers' routes know nothing of each other"
NO_SQL = "No SQL in routes"
NO_WEB = "Only app and routes know the web framework"
LAYERED = "Workers are layered"
WORKER_TYPES = "Worker types are independent: they send by task name"
THROUGH_WORKFLOW = "Workers reach connectors and tools through shared.workflow only"
PROVIDERS = "Only the notification worker knows the providers"
ONE_WAY = "Packages of the workers import each other one way"

B = "docfleet.backend"
HTTP = f"{B}.http"
W = "docfleet.workers"
SHARED = f"{W}.shared"
INFRASTRUCTURE = f"{SHARED}.infrastructure"

FORBIDDEN = [
    (MEMBERS, "docfleet.core.files", "docfleet.tools.registry"),
    (MEMBERS, "docfleet.workers.launch", "docfleet.backend.settings"),
    (MEMBERS, "docfleet.backend.app", "docfleet.cli.main"),
    (LIGHT, "docfleet.workers.launch", "sqlalchemy"),
    (LIGHT, "docfleet.workers.general.execution", "litestar"),
    (PARTS, "docfleet.connectors.registry", "docfleet.providers.registry"),
    (PARTS, "docfleet.providers.webhook", "docfleet.connectors.registry"),
    (PARTS, "docfleet.tools.registry", "docfleet.connectors.registry"),
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
    (LAYERED, f"{SHARED}.workflow.execution.batch", f"{W}.file_processing.batches"),
    (LAYERED, f"{SHARED}.clients.tool_client", f"{SHARED}.workflow.execution.lease"),
    (LAYERED, f"{SHARED}.cache.redis_cache", f"{SHARED}.clients.api"),
    (LAYERED, f"{INFRASTRUCTURE}.celery.lost_children", f"{SHARED}.clients.transport"),
    (LAYERED, f"{INFRASTRUCTURE}.process.process_settings", f"{SHARED}.cache.redis_cache"),
    (LAYERED, f"{SHARED}.models", f"{INFRASTRUCTURE}.config.settings"),
    (LAYERED, "docfleet.core.files", f"{SHARED}.models"),
    (LAYERED, f"{W}.general.execution", f"{W}.launch"),
    (WORKER_TYPES, f"{W}.general.execution", f"{W}.api_deployment.execution"),
    (WORKER_TYPES, f"{W}.scheduler.tasks", f"{W}.notification.sending"),
    (THROUGH_WORKFLOW, f"{W}.general.execution", "docfleet.connectors.registry"),
    (THROUGH_WORKFLOW, f"{SHARED}.clients.tool_client", "docfleet.tools.registry"),
    (PROVIDERS, f"{W}.callback.completion", "docfleet.providers.registry"),
    (ONE_WAY, f"{INFRASTRUCTURE}.config.limits", f"{INFRASTRUCTURE}.config.settings"),
    (ONE_WAY, f"{INFRASTRUCTURE}.process.process_settings", f"{INFRASTRUCTURE}.celery.builder"),
]
"""Contract, a module, and what it must not import."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*SESSION["root_packages"], include_external_packages=True, cache_dir=None)


def is_kept(name: str, graph: grimp.ImportGraph) -> bool:
    contract = TYPES[OPTIONS[name]["type"]](name, SESSION, OPTIONS[name])
    # A copy, as the check takes ignored imports out of it.
    return contract.check(deepcopy(graph), verbose=False).kept


@pytest.mark.parametrize("name", OPTIONS)
def test_a_contract_is_kept(name: str, graph: grimp.ImportGraph) -> None:
    assert is_kept(name, graph)


def test_every_contract_has_an_import_that_it_forbids() -> None:
    assert {name for name, _, _ in FORBIDDEN} == set(OPTIONS)


@pytest.mark.parametrize(("name", "importer", "imported"), FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(
    name: str, importer: str, imported: str, graph: grimp.ImportGraph
) -> None:
    assert {importer, imported} <= graph.modules
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not is_kept(name, graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)
