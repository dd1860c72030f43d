"""Every file system connector in real prefork workers: four children under load, recycled again and again.

A child that dies of a signal fails its task.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.connectors.filesystems import prefork_app
from tests.contract.connectors.filesystems.prefork_app import SEED, TASKS_PER_CHILD
from tests.contract.connectors.filesystems.stores import Place, Store
from tests.repository import REPOSITORY

CHILDREN, TASKS = 4, 80
_WORKER = (
    *(sys.executable, "-m", "celery", "-A", prefork_app.__name__, "worker", "-l", "WARNING"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
SECONDS = 60

type Run = Callable[[str, int], list[dict[str, Any]]]
"""Runs so many tasks of a name in the children, and gives their results."""


@contextmanager
def prefork_pool(place: Place, store: Store, folder: Path, *, touched: bool) -> Iterator[Run]:
    for name in ("queue", "control", "results"):
        (folder / name).mkdir(parents=True)
    surroundings = {
        prefork_app.FOLDER: str(folder),
        prefork_app.CONNECTOR: json.dumps(place.settings),
        prefork_app.TOUCHED: "1" if touched else "",
    }
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        worker = subprocess.Popen(
            [*_WORKER, "-P", "prefork", "-c", str(CHILDREN)],
            cwd=REPOSITORY,
            env=os.environ | surroundings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        client = stack.enter_context(prefork_app.application(str(folder)))

        def run(name: str, count: int) -> list[dict[str, Any]]:
            sent = [client.send_task(name, (number, store.can_write)) for number in range(count)]
            return [result.get(timeout=SECONDS, interval=0.02) for result in sent]

        try:
            yield run
        finally:
            # An orderly end takes seconds, and nothing is left to do.
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(SECONDS)
    written = (folder / "log").read_text("utf-8", "replace")
    assert "SIGSEGV" not in written and "exited prematurely" not in written, written


@pytest.fixture
def seeded(place: Place) -> Place:
    if place.settings is None:
        pytest.skip("its files are in one process")
    place.write("in/seed", SEED)
    return place


def test_children_list_read_and_write_under_load(
    store: Store, seeded: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with prefork_pool(seeded, store, tmp_path_factory.mktemp("pool"), touched=False) as run:
        results = run("work", TASKS)
    assert [result for result in results if result["error"]] == []
    assert all(result["read"] and result["listed"] == ["in/seed"] for result in results)
    assert len({result["pid"] for result in results}) >= TASKS // TASKS_PER_CHILD
    if store.can_write:
        files = seeded.open()
        written = {entry.path: entry.size for entry in files.list_files("out", recursive=True)}
        assert written == {f"out/{number}": len(str(number)) * 1000 for number in range(TASKS)}
        assert [entry.path for entry in files.list_files(recursive=True) if entry.path.startswith("gone/")] == []
        files.close()


def test_a_connector_of_the_parent_is_refused_in_every_child(
    store: Store, seeded: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with prefork_pool(seeded, store, tmp_path_factory.mktemp("pool"), touched=True) as run:
        misused = run("misuse", 2 * CHILDREN)
        own = run("work", CHILDREN)
    for result in misused:
        assert result["refused"] == ["fork_unsafe"] * 5
        assert f"is used in process {result['pid']}" in result["message"]
    # One of the task's own works, or its library says that it was used before the fork.
    assert {result["error"] for result in own} <= {None, "fork_unsafe"}
    files = seeded.open()
    assert {entry.path for entry in files.list_files("in", recursive=True)} == {"in/seed"}
    files.close()
