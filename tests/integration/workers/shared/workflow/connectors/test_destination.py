"""Sinks deliver a file again after a crash, and files of one path from two places do not meet."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.errors import Fenced
from docfleet.core.execution import DestinationConfig
from docfleet.core.files import FileHashData
from docfleet.core.storage import COPY_TO_FOLDER, INFILE, METADATA
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery, Sink, open_sink
from tests.integration.killed_process import in_a_process_that


def delivery(folder: Path, attempt: int, result: dict[str, Any], error: str | None = None) -> Delivery:
    working = folder / f"f1.{attempt}"
    (working / COPY_TO_FOLDER).mkdir(parents=True, exist_ok=True)
    (working / INFILE).write_bytes(msgspec.json.encode(result))
    (working / METADATA).write_bytes(b'{"tool_metadata": [{"tool_name": "t", "output_type": "JSON"}]}')
    return Delivery(
        execution_id="e1",
        file_execution_id="f1",
        attempt=attempt,
        require=lambda: None,
        file=FileHashData(file_name="a.pdf", file_path="in/a.pdf"),
        folder=working,
        error=error,
    )


@pytest.fixture(params=["sqlite", "local"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Sink]:
    if request.param == "sqlite":
        config = DestinationConfig(
            connection_type="DATABASE", connector_id="sqlite", connector_settings={"path": str(tmp_path / "rows.db")}
        )
    else:
        config = DestinationConfig(
            connection_type="FILESYSTEM", connector_id="local", connector_settings={"path": str(tmp_path / "out")}
        )
    return lambda: open_sink(config)


def test_documents_of_one_path_from_two_places_do_not_meet(tmp_path: Path) -> None:
    config = DestinationConfig(
        connection_type="FILESYSTEM", connector_id="local", connector_settings={"path": str(tmp_path / "out")}
    )
    for number, origin in enumerate(("workflow\0/a", "workflow\0/b", "other\0/a", "other\0/a")):
        sink = open_sink(config, origin)
        sink.deliver(delivery(tmp_path / f"work-{number}", 1, {"n": number}))
        sink.close()
    assert {path.read_text() for path in (tmp_path / "out").iterdir()} == {'{"n":0}', '{"n":1}', '{"n":3}'}


def test_killed_between_the_write_and_the_report_then_repeated(sink: Callable[[], Sink], tmp_path: Path) -> None:
    def deliver(attempt: int) -> Delivered:
        made = sink()
        delivered = made.deliver(delivery(tmp_path / "work", attempt, {"n": attempt}))
        made.close()
        return delivered

    def killed() -> None:
        deliver(1)
        os.kill(os.getpid(), signal.SIGKILL)

    in_a_process_that(signal.SIGKILL, killed)
    second, third = deliver(2), deliver(3)
    assert second.outputs == third.outputs
    assert second.digest and third.digest and second.digest != third.digest
    if (tmp_path / "out").exists():
        assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ['{"n":3}']
    late = sink()
    if not (tmp_path / "out").exists():
        with pytest.raises(Fenced):
            late.deliver(delivery(tmp_path / "work", 2, {"n": 2}))
    late.deliver(delivery(tmp_path / "work", 4, {}, error="it broke"))
    late.close()
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
