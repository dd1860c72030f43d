"""Step results: what was paid for is found again, and only that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import DestinationUnavailable, ToolFailed, ToolResultInvalid
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
from docfleet.core.results import FileOutcome
from docfleet.core.runs import RunLimits, RunRequest, RunState
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import SIDE_FILES, STEPS
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery
from docfleet.workers.shared.workflow.execution import file_run, steps
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper


class Settings(msgspec.Struct):
    execution_storage_root: str
    run_limits: RunLimits = msgspec.field(default_factory=RunLimits)
    source_still_seconds: float = 0.0


class Tools:
    """Runs a step as the runner does, and counts: appends its tool's id to the document."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.failing: set[str] = set()
        self.beside: dict[str, dict[str, bytes]] = {}
        """What a tool leaves beside its result, by its id."""

    def run(self, run_id: str, request: RunRequest, *, should_stop: Any, on_lines: Any) -> RunState:
        self.ran.append(request.tool_id)
        if request.tool_id in self.failing:
            raise ToolFailed("no result")
        folder = self.root / request.folder
        (folder / "next").write_bytes((folder / "INFILE").read_bytes() + f" {request.tool_id}".encode())
        (folder / "next").rename(folder / "INFILE")
        (folder / "COPY_TO_FOLDER").mkdir(exist_ok=True)
        (folder / "COPY_TO_FOLDER" / f"{request.tool_id}.bin").write_bytes(b"copied")
        for name, content in self.beside.get(request.tool_id, {}).items():
            (folder / name).write_bytes(content)
        metadata = json.loads((folder / "METADATA.json").read_bytes())
        entry = {"tool_name": request.tool_id, "elapsed_time": 1.0, "output_type": "TXT", "usage": {request.tool_id: 1}}
        metadata["tool_metadata"].append(entry)
        metadata["total_elapsed_time"] += 1.0
        (folder / "METADATA.json").write_text(json.dumps(metadata))
        return RunState(run_id=run_id, phase="SUCCEEDED", started_at=1.0, finished_at=2.0, tool_metadata=entry)

    def kill(self, run_id: str) -> None:
        raise AssertionError("nothing is to be killed")


class Sink:
    """Keeps what is delivered, and fails on demand."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.delivered: list[dict[str, Any]] = []
        self.beside: dict[str, bytes] = {}

    def deliver(self, delivery: Delivery) -> Delivered:
        if delivery.error is not None:
            return Delivered()
        if self.failure is not None:
            raise self.failure
        beside = ((name, delivery.folder / name) for name in SIDE_FILES)
        self.beside = {name: path.read_bytes() for name, path in beside if path.exists()}
        copied = delivery.folder / "COPY_TO_FOLDER"
        metadata = json.loads((delivery.folder / "METADATA.json").read_bytes())
        self.delivered.append(
            {
                "result": (delivery.folder / "INFILE").read_text(),
                "copied": sorted(path.name for path in copied.iterdir()),
                "tools": [entry["tool_name"] for entry in metadata["tool_metadata"]],
                "seconds": metadata["total_elapsed_time"],
                "of": metadata["file_execution_id"],
                "text": delivery.text,
                "steps": len(delivery.metrics["steps"]),
            }
        )
        return Delivered()

    def close(self) -> None:
        pass


class Bench:
    """Files of one storage root, processed again and again."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "storage"
        self.root.mkdir()
        self.source = folder / "in"
        self.source.mkdir()
        (self.source / "a.txt").write_text("document")
        self.tools, self.sink = Tools(self.root), Sink()
        monkeypatch.setattr(file_run, "open_sink", lambda *_: self.sink)
        monkeypatch.setattr(file_run, "DELIVERY_ATTEMPTS", 1)
        self.context = ExecutionContext(
            execution=ExecutionInfo(id="e1", workflow_id="w", status=ExecutionStatus.EXECUTING),
            workflow_definition=WorkflowDefinition(workflow_id="w", workflow_name="n"),
            source_config=SourceConfig(connector_id="local", connector_settings={"path": str(self.source)}),
            destination_config=DestinationConfig(is_api=True),
            organization_context=OrganizationContext(organization_id="o"),
            tool_instances=[
                ToolInstance(id="1", tool_id="one", step=1, version="1", metadata={"a": 1}),
                ToolInstance(id="2", tool_id="two", step=2, version="1"),
            ],
        )

    def process(
        self, context: ExecutionContext | None = None, *, file: str = "f1", attempt: int = 1, report: bool = True
    ) -> FileOutcome:
        """What one attempt does, from a process that has forgotten everything."""
        leases: Any = LeaseKeeper(None, "e1", "me", 60.0)  # type: ignore[arg-type]
        data = FileHashData(file_name="a.txt", file_path="a.txt")
        claim = FileClaim(file_execution_id=file, attempt=attempt, file=data)
        leases.add([claim], float("inf"))
        run = FileRun(context or self.context, Settings(str(self.root)), self.tools, leases)  # type: ignore[arg-type]
        outcome = run.process(claim)
        assert outcome is not None
        if report:
            run.reported([outcome])
        return outcome

    def kept(self) -> list[Path]:
        return list((self.root / STEPS).glob("*/*/*"))

    def ran(self) -> list[str]:
        ran, self.tools.ran = self.tools.ran, []
        return ran


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def changed(context: ExecutionContext, **first_tool: Any) -> ExecutionContext:
    first, *rest = context.tool_instances
    return msgspec.structs.replace(context, tool_instances=[msgspec.structs.replace(first, **first_tool), *rest])


def test_a_file_that_is_done_and_reported_leaves_nothing(bench: Bench) -> None:
    assert bench.process().status is ExecutionStatus.COMPLETED
    assert bench.ran() == ["one", "two"] and bench.kept() == []


def test_what_failed_runs_again_and_what_succeeded_does_not(bench: Bench) -> None:
    bench.tools.failing = {"two"}
    assert bench.process().error == "no result"
    bench.tools.failing = set()
    outcome = bench.process(file="f2")
    assert bench.ran() == ["one", "two", "two"] and outcome.status is ExecutionStatus.COMPLETED
    (delivered,) = bench.sink.delivered
    assert delivered == {
        "result": "document one two",
        "copied": ["one.bin", "two.bin"],
        "tools": ["one", "two"],
        "seconds": 2.0,
        "of": "f2",
        "text": "document one two",
        "steps": 2,
    }
    assert bench.kept() == []


def test_words_and_evidence_are_kept_with_the_steps(bench: Bench) -> None:
    bench.tools.beside = {"one": {"WORDS": b"words"}, "two": {"EVIDENCE.json": b'{"version":1}'}}
    bench.tools.failing = {"two"}
    bench.process()
    bench.tools.failing = set()
    bench.sink.failure = DestinationUnavailable("away")
    bench.process(file="f2")
    bench.sink.failure = None
    bench.sink.beside = {}
    bench.process(file="f3")
    assert bench.ran() == ["one", "two", "two"]
    assert bench.sink.beside == {"WORDS": b"words", "EVIDENCE.json": b'{"version":1}'}
    assert bench.kept() == []


def test_damaged_words_make_the_step_run_again(bench: Bench) -> None:
    bench.tools.beside = {"one": {"WORDS": b"words"}}
    bench.tools.failing = {"two"}
    bench.process()
    (words,) = bench.root.glob(f"{STEPS}/*/*/*.WORDS")
    words.unlink()
    bench.tools.failing = set()
    bench.process(file="f2")
    assert bench.ran() == ["one", "two", "one", "two"] and bench.sink.beside == {"WORDS": b"words"}


def test_only_the_delivery_is_repeated(bench: Bench) -> None:
    bench.sink.failure = DestinationUnavailable("away")
    bench.process()
    bench.sink.failure = None
    bench.process()
    assert bench.ran() == ["one", "two"] and bench.sink.delivered[0]["result"] == "document one two"
    assert bench.sink.delivered[0]["text"] == "document one two" and bench.sink.delivered[0]["steps"] == 2


def test_an_unreported_delivery_keeps_the_steps(bench: Bench) -> None:
    bench.process(report=False)
    bench.process(attempt=2)
    assert bench.ran() == ["one", "two"] and len(bench.sink.delivered) == 2 and bench.kept() == []


def test_the_cost_of_a_step_is_reported_once(bench: Bench) -> None:
    bench.tools.failing = {"two"}
    assert bench.process().usage == {"one": 1}
    bench.tools.failing = set()
    assert bench.process(file="f2").usage == {"two": 1}
    bench.sink.failure = DestinationUnavailable("away")
    assert bench.process(report=False).usage == {"one": 1, "two": 1}, "the report got lost: nobody counted"
    assert bench.process(attempt=2).usage == {"one": 1, "two": 1}
    assert bench.process(attempt=3).usage == {}


@pytest.mark.parametrize(
    ("change", "ran"),
    [
        ({}, []),
        ({"metadata": {"a": 2}}, ["one", "two"]),
        ({"version": "2"}, ["one", "two"]),
        ({"tool_id": "other"}, ["other", "two"]),
        ({"id": "9"}, []),
    ],
)
def test_what_a_step_depends_on_decides(bench: Bench, change: dict[str, Any], ran: list[str]) -> None:
    bench.process(report=False)
    bench.ran()
    bench.process(changed(bench.context, **change))
    assert bench.ran() == ran


def test_a_change_of_the_second_step_spares_the_first(bench: Bench) -> None:
    bench.process(report=False)
    bench.ran()
    first, second = bench.context.tool_instances
    again = msgspec.structs.replace(second, version="2")
    bench.process(msgspec.structs.replace(bench.context, tool_instances=[first, again]))
    assert bench.ran() == ["two"] and bench.sink.delivered[-1]["result"] == "document one two"


def test_a_step_is_found_only_after_the_steps_it_came_from(bench: Bench) -> None:
    bench.process(report=False)
    bench.tools.failing = {"two"}
    other = changed(bench.context, metadata={"a": 2})
    bench.process(other, report=False)
    bench.tools.failing = set()
    bench.ran()
    bench.process(other)
    assert bench.ran() == ["two"], "the result of the second step came from another first step"


def test_other_content_runs(bench: Bench) -> None:
    bench.process(report=False)
    (bench.source / "a.txt").write_text("new document")
    bench.process()
    assert bench.ran() == ["one", "two"] * 2 and bench.sink.delivered[-1]["result"] == "new document one two"


def test_an_organization_sees_only_its_own(bench: Bench) -> None:
    bench.process(report=False)
    other = OrganizationContext(organization_id="o2")
    bench.process(msgspec.structs.replace(bench.context, organization_context=other))
    assert bench.ran() == ["one", "two"] * 2
    # Not even what lies in its own folder by mistake.
    bench.process(report=False)
    shutil.rmtree(bench.root / STEPS / "o2", ignore_errors=True)
    (bench.root / STEPS / "o").rename(bench.root / STEPS / "o2")
    bench.ran()
    bench.process(msgspec.structs.replace(bench.context, organization_context=other))
    assert bench.ran() == ["one", "two"]


def _flip(place: str) -> None:
    content = Path(place).read_bytes()
    Path(place).unlink()
    Path(place).write_bytes(content.swapcase())


def _edit(place: str) -> None:
    record = Path(place + steps.RECORD).read_bytes()
    Path(place + steps.RECORD).write_bytes(record.replace(b'"usage"', b'"wages"'))


def _cut(place: str) -> None:
    record = Path(place + steps.RECORD).read_bytes()
    Path(place + steps.RECORD).write_bytes(record[: len(record) // 2])


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _edit,
        _cut,
        lambda place: Path(place).unlink(),
        lambda place: Path(place + steps.RECORD).write_bytes(b""),
        lambda place: Path(place + steps.RECORD).unlink(),
        lambda place: Path(place + steps.COPIES, "more.bin").write_bytes(b"x"),
        lambda place: shutil.rmtree(place + steps.COPIES),
    ],
)
def test_what_is_damaged_runs_again(bench: Bench, damage: Any) -> None:
    bench.process(report=False)
    (second,) = [path for path in bench.kept() if not path.suffix and path.read_text().endswith("two")]
    damage(str(second))
    bench.ran()
    bench.process()
    assert bench.ran() == ["two"] and bench.sink.delivered[-1]["result"] == "document one two"
    assert bench.kept() == []


def test_a_result_the_destination_cannot_read_is_made_again(bench: Bench) -> None:
    bench.sink.failure = ToolResultInvalid("not JSON")
    bench.process()
    bench.sink.failure = None
    bench.process()
    assert bench.ran() == ["one", "two", "two"]


def of_execution(context: ExecutionContext, execution_id: str) -> ExecutionContext:
    return msgspec.structs.replace(context, execution=msgspec.structs.replace(context.execution, id=execution_id))


def test_a_run_without_history_takes_nothing_from_runs_before_but_goes_on_after_a_crash(bench: Bench) -> None:
    bench.process(report=False)
    anew = msgspec.structs.replace(of_execution(bench.context, "e2"), use_file_history=False)
    bench.process(anew, report=False)
    assert bench.ran() == ["one", "two"] * 2
    bench.process(anew, attempt=2, report=False)
    assert bench.ran() == []
    third = of_execution(anew, "e3")
    bench.process(third, attempt=2, report=False)
    assert bench.ran() == ["one", "two"], "its first claim was lost before the file was begun"
    retry = msgspec.structs.replace(anew, execution=msgspec.structs.replace(anew.execution, retry_of="e0"))
    bench.process(retry)
    assert bench.ran() == []


def test_a_storage_that_keeps_nothing_costs_nothing_but_the_repeat(bench: Bench) -> None:
    (bench.root / STEPS).write_text("in the way")
    assert bench.process().status is ExecutionStatus.COMPLETED


def test_a_kept_result_has_no_bytes_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "copyfile", lambda *_: pytest.fail("copied"))
    bench.process(report=False)
    bench.process(attempt=2)


def test_a_storage_without_hard_links_copies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.process(report=False)

    def no_links(*_: Any) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr("os.link", no_links)
    bench.process(attempt=2, report=False)
    bench.process(changed(bench.context, version="2"), report=False)
    bench.ran()
    bench.process(changed(bench.context, version="2"))
    assert bench.ran() == [] and bench.sink.delivered[-1]["copied"] == ["one.bin", "two.bin"]
