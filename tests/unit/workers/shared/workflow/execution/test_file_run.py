"""One file in work: waits for its destination, and deliveries that are taken back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import DestinationUnavailable, Fenced
from docfleet.core.execution import DestinationConfig
from docfleet.core.files import FileHashData
from docfleet.core.runs import RunLimits
from docfleet.core.storage import COPY_TO_FOLDER
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery, FileSystemSink
from docfleet.workers.shared.workflow.execution import file_run
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from tests.unit.workers.shared.workflow.execution.doubles import CONTEXT, StoppableBackend, claims


class LostAnswer:
    """A sink's double: the first delivery may have come through, and while it was under way a stop came."""

    def __init__(self, leases: LeaseKeeper) -> None:
        self.leases = leases
        self.tries = 0

    def deliver(self, delivery: Delivery) -> Delivered:
        self.tries += 1
        if self.tries == 1:
            self.leases.stop()
            raise DestinationUnavailable("the connection was lost while the row was committed")
        return Delivered()


def test_a_delivery_whose_answer_was_lost_is_tried_again_in_spite_of_a_stop(tmp_path: Path) -> None:
    leases = LeaseKeeper(StoppableBackend(), "e", "me", 60.0)  # type: ignore[arg-type]
    leases.add(claims("a", "b"), time.monotonic())
    file_run = FileRun(None, None, None, leases)  # type: ignore[arg-type]
    sink = file_run._sink = LostAnswer(leases)
    delivery = Delivery(
        execution_id="e",
        file_execution_id="a",
        attempt=1,
        require=lambda: None,
        file=claims("a")[0].file,
        folder=tmp_path,
    )
    file_run._deliver(delivery)
    assert sink.tries == 2, "nobody knows whether the file was delivered"
    with pytest.raises(Fenced):
        file_run._deliver(msgspec.structs.replace(delivery, file_execution_id="b"))
    assert sink.tries == 2


class Nowhere:
    """A sink whose destination does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    def deliver(self, delivery: Any) -> Any:
        self.asked += 1
        raise DestinationUnavailable("no answer")


CLAIM = FileClaim(file_execution_id="f", attempt=1, file=FileHashData(file_name="a", file_path="a"))


def delivering(monkeypatch: pytest.MonkeyPatch, sink: Any, root: str) -> FileRun:
    """A run of files whose tools are done."""
    monkeypatch.setattr(file_run, "DELIVERY_ATTEMPTS", 1)
    leases = LeaseKeeper(None, "e", "me", 60.0)  # type: ignore[arg-type]  # never renewed here
    leases.add([CLAIM], time.monotonic())
    settings: Any = type("Settings", (), {"execution_storage_root": root, "run_limits": RunLimits()})
    tools: Any = None
    run = FileRun(CONTEXT, settings, tools, leases)
    monkeypatch.setattr(run, "_sink", sink)
    monkeypatch.setattr(run, "_run", lambda attempt: run._deliver(attempt.delivery()))
    return run


def test_a_destination_that_was_waited_for_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Nowhere()
    outcome = delivering(monkeypatch, sink, "/nonexistent").process(CLAIM)
    assert outcome is not None and outcome.error_code == "destination_unavailable"
    assert sink.asked == 2, "the result, and once that it failed"


def test_what_a_failed_delivery_has_written_is_taken_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The disk of the destination is full after the first of two outputs: a file in ERROR leaves nothing there."""
    target, root = tmp_path / "target", tmp_path / "storage"
    config = DestinationConfig(
        connection_type="FILESYSTEM", connector_id="local", connector_settings={"path": str(target)}
    )
    sink = FileSystemSink(config, "")
    run = delivering(monkeypatch, sink, str(root))
    outputs = run._attempt(CLAIM).folder / COPY_TO_FOLDER
    outputs.mkdir(parents=True)
    for name in ("1.txt", "2.txt"):
        (outputs / name).write_text(name)
    written: list[str] = []
    write = sink._files.write_file

    def one_fits(path: str, *rest: Any) -> str:
        if written:
            raise DestinationUnavailable("no space left")
        written.append(write(path, *rest))
        assert Path(written[0]).read_text() == "1.txt"
        return written[0]

    monkeypatch.setattr(sink._files, "write_file", one_fits)
    outcome = run.process(CLAIM)
    assert outcome is not None and outcome.error_code == "destination_unavailable" and outcome.outputs == []
    assert written and not [path for path in target.rglob("*") if path.is_file()]
