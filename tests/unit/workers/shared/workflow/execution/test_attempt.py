"""One attempt at a file: a folder of its own, one METADATA.json, one outcome."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import Fenced, ToolFailed
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    OrganizationContext,
    SourceConfig,
    ToolInstance,
    WorkflowDefinition,
)
from docfleet.core.files import FileHashData
from docfleet.core.runs import RunLimits, RunRequest, RunState
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import EVIDENCE, INFILE, METADATA, SOURCE
from docfleet.workers.shared.workflow.connectors.destination import Delivered
from docfleet.workers.shared.workflow.execution.attempt import RUN_NICE, Attempt
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

CONTEXT = ExecutionContext(
    execution=ExecutionInfo(id="e", workflow_id="w", status=ExecutionStatus.EXECUTING),
    workflow_definition=WorkflowDefinition(workflow_id="w", workflow_name="n"),
    source_config=SourceConfig(connector_id="local"),
    destination_config=DestinationConfig(),
    organization_context=OrganizationContext(organization_id="o"),
    tool_instances=[ToolInstance(id="i", tool_id="t", step=1)],
)
FILE = FileHashData(file_name="a.txt", file_path="in/a.txt", file_hash="listed")


class Settings(msgspec.Struct):
    execution_storage_root: str
    run_limits: RunLimits = msgspec.field(default_factory=RunLimits)


class OneFile:
    """A source whose file holds ``text``."""

    def fetch(self, file: FileHashData, target: Path) -> str:
        target.write_text("text")
        return "fetched"


class OneTool:
    """A runner that records its requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, RunRequest]] = []

    def run(self, run_id: str, request: RunRequest, **_: Any) -> RunState:
        self.requests.append((run_id, request))
        metadata = {"pages": 2, "usage": {"calls": 1}}
        return RunState(run_id=run_id, phase="SUCCEEDED", started_at=1.0, finished_at=2.0, tool_metadata=metadata)


def attempt(root: Path, number: int = 1, *, held: bool = True, context: ExecutionContext = CONTEXT) -> Attempt:
    claim = FileClaim(file_execution_id="f", attempt=number, file=FILE)
    client: Any = None
    leases = LeaseKeeper(client, "e", "me", 60.0)
    if held:
        leases.add([claim], time.monotonic())
    settings: Any = Settings(str(root))
    return Attempt(claim, context, settings, leases)


def decoded(path: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return metadata


def test_each_attempt_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = attempt(tmp_path, 1), attempt(tmp_path, 2)
    assert first.folder == tmp_path / "o" / "w" / "e" / "f.1" and second.folder.name == "f.2"


def test_it_starts_in_an_empty_folder_and_removes_it(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    one.folder.mkdir(parents=True)
    (one.folder / "half").write_text("of an attempt that died")
    one.fetch(OneFile())
    assert sorted(path.name for path in one.folder.iterdir()) == sorted([SOURCE, INFILE, METADATA])
    one.remove_folder()
    assert not one.folder.exists()


def test_its_metadata_is_made_once(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    before = one.delivery().metadata
    assert before["source_hash"] == "listed", "nothing is fetched yet"
    one.fetch(OneFile())
    written, delivered = decoded(one.folder / METADATA), one.delivery().metadata
    assert written == delivered and written["source_hash"] == one.outcome.file_hash == "fetched"
    assert written["workflow_start_time"] == before["workflow_start_time"]


def test_evidence_outlives_the_folder(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    one.fetch(OneFile())
    one.keep_evidence()
    assert not (tmp_path / ".evidence").exists(), "there is none"
    (one.folder / EVIDENCE).write_text("{}")
    one.keep_evidence()
    one.remove_folder()
    assert (tmp_path / ".evidence" / "o" / "e" / "e" / "f.json").read_text() == "{}"


def test_evidence_of_an_api_is_in_its_result_only(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    one._context = msgspec.structs.replace(CONTEXT, destination_config=DestinationConfig(is_api=True))
    one.fetch(OneFile())
    (one.folder / EVIDENCE).write_text("{}")
    one.keep_evidence()
    assert not (tmp_path / ".evidence").exists()


def test_tools_know_how_many_there_are(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    one.fetch(OneFile())
    assert decoded(one.folder / METADATA)["steps"] == 1


def test_its_outcome_collects_cost_and_delivery(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    tools = OneTool()
    one.fetch(OneFile())
    one.run_tools(tools)
    assert [(run_id, request.folder) for run_id, request in tools.requests] == [("f.1.1", "o/w/e/f.1")]
    delivery = one.delivery()
    assert delivery.error is None and [step["tool_id"] for step in delivery.metrics["steps"]] == ["t"]
    one.delivered(Delivered(outputs=["out/a.txt"], digest="d"))
    outcome = one.outcome
    assert (outcome.status, outcome.pages, outcome.usage) == (ExecutionStatus.COMPLETED, 2, {"calls": 1})
    assert (outcome.outputs, outcome.digest) == (["out/a.txt"], "d")


def test_tools_of_a_run_yield_the_processor_and_those_of_a_call_do_not(tmp_path: Path) -> None:
    tools = OneTool()
    for destination in (DestinationConfig(), DestinationConfig(is_api=True)):
        one: Any = attempt(
            tmp_path / str(destination.is_api), context=msgspec.structs.replace(CONTEXT, destination_config=destination)
        )
        one.fetch(OneFile())
        one.run_tools(tools)
    assert [request.limits.nice for _, request in tools.requests] == [RUN_NICE, 0]


def test_a_failed_attempt_delivers_its_error_and_no_result(tmp_path: Path) -> None:
    one: Any = attempt(tmp_path)
    one.fetch(OneFile())
    one.run_tools(OneTool())
    one.fail(ToolFailed("no text"))
    delivery = one.delivery()
    assert (delivery.error, delivery.text, delivery.metrics) == ("no text", None, {})
    assert (one.outcome.status, one.outcome.error_code) == (ExecutionStatus.ERROR, "tool_failed")


def test_it_needs_its_lease(tmp_path: Path) -> None:
    attempt(tmp_path).require_lease()
    with pytest.raises(Fenced):
        attempt(tmp_path, held=False).require_lease()
