"""The contracts about the workers hold, and a forbidden import breaks the one that forbids it."""

from __future__ import annotations

from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

from tests.repository import REPOSITORY as ROOT

TYPES: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}
CONFIGURATION: dict[str, Any] = read_configuration(str(ROOT / "pyproject.toml"))
OPTIONS: dict[str, dict[str, Any]] = {
    options["name"]: options
    for options in CONFIGURATION["contracts_options"]
    if str(options).count("docfleet.workers.") or options["type"] == "acyclic_siblings"
}

LAYERED = "Workers are layered"
INDEPENDENT = "Worker types are independent: they send by task name"
THROUGH_WORKFLOW = "Workers reach connectors and tools through shared.workflow only"
PROVIDERS = "Only the notification worker knows the providers"
ONE_WAY = "Packages of the workers import each other one way"

W = "docfleet.workers"
SHARED = "docfleet.workers.shared"
INFRASTRUCTURE = "docfleet.workers.shared.infrastructure"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    roots = CONFIGURATION["session_options"]["root_packages"]
    return grimp.build_graph(*roots, include_external_packages=True, cache_dir=None)


def is_kept(name: str, graph: grimp.ImportGraph) -> bool:
    contract = TYPES[OPTIONS[name]["type"]](name, CONFIGURATION["session_options"], OPTIONS[name])
    return contract.check(graph, verbose=False).kept


@pytest.mark.parametrize("name", [LAYERED, INDEPENDENT, THROUGH_WORKFLOW, PROVIDERS, ONE_WAY])
def test_the_workers_keep_their_contracts(name: str, graph: grimp.ImportGraph) -> None:
    assert is_kept(name, graph)


@pytest.mark.parametrize(
    ("name", "importer", "imported"),
    [
        (LAYERED, f"{SHARED}.workflow.execution.batch", f"{W}.file_processing.batches"),
        (LAYERED, f"{SHARED}.clients.tool_client", f"{SHARED}.workflow.execution.lease"),
        (LAYERED, f"{SHARED}.cache.redis_cache", f"{SHARED}.clients.api"),
        (LAYERED, f"{INFRASTRUCTURE}.celery.lost_children", f"{SHARED}.clients.transport"),
        (LAYERED, f"{INFRASTRUCTURE}.process.process_settings", f"{SHARED}.cache.redis_cache"),
        (LAYERED, f"{SHARED}.models", f"{INFRASTRUCTURE}.config.settings"),
        (LAYERED, "docfleet.core.files", f"{SHARED}.models"),
        (LAYERED, f"{W}.general.execution", f"{W}.launch"),
        (INDEPENDENT, f"{W}.general.execution", f"{W}.api_deployment.execution"),
        (INDEPENDENT, f"{W}.scheduler.tasks", f"{W}.notification.sending"),
        (THROUGH_WORKFLOW, f"{W}.general.execution", "docfleet.connectors.registry"),
        (THROUGH_WORKFLOW, f"{SHARED}.clients.tool_client", "docfleet.tools.registry"),
        (PROVIDERS, f"{W}.callback.completion", "docfleet.providers.registry"),
        (ONE_WAY, f"{INFRASTRUCTURE}.config.limits", f"{INFRASTRUCTURE}.config.settings"),
        (ONE_WAY, f"{INFRASTRUCTURE}.process.process_settings", f"{INFRASTRUCTURE}.celery.builder"),
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
