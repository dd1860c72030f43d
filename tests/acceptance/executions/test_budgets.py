"""Budgets that are counted, on real processes: calls, sizes of answers, modules. Never seconds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.calls import LARGE, SMALL, answers, growth
from bench.fleet import Fleet
from bench.processes import pool_children

pytestmark = pytest.mark.timeout(600)
MAX_CALLS = 100
DIGITS = 16
"""Bytes by which an answer may be longer because its numbers have more digits."""
HEAVY = {"sqlalchemy", "psycopg", "django", "litestar", "pydantic", "boto3", "grpc"}
PROBE = """
import os, pathlib, signal, sys

def write(*_):
    path = pathlib.Path(FOLDER, str(os.getpid()))
    partial = path.with_suffix(".partial")
    partial.write_text("\\n".join(sys.modules))
    partial.rename(path)

signal.signal(signal.SIGUSR2, write)
"""


class Measured:
    """A system that has run a small and a large execution, and the calls its workers made for each."""

    def __init__(self, fleet: Fleet, probes: Path) -> None:
        self.fleet = fleet
        self.probes = probes
        self.small = answers(fleet, SMALL)
        self.large = answers(fleet, LARGE)

    def modules(self, pid: int) -> set[str]:
        """The top-level modules of a live process, as it writes them itself when it is asked."""
        os.kill(pid, signal.SIGUSR2)
        answer = self.probes / str(pid)
        deadline = time.monotonic() + 20
        while not answer.exists():
            assert time.monotonic() < deadline, f"process {pid} does not answer"
            time.sleep(0.02)
        return {name.partition(".")[0] for name in answer.read_text().split()}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder = tmp_path_factory.mktemp("probe")
    (folder / "sitecustomize.py").write_text(PROBE.replace("FOLDER", repr(str(folder))))
    slots = {"FILE_PROCESSING_CONCURRENCY": "2", "RUNNER_CONCURRENCY": "2"}
    with Fleet(counted=True, PYTHONPATH=str(folder), **slots) as fleet:
        yield Measured(fleet, folder)


def test_a_thousand_files_cost_at_most_a_hundred_internal_calls(measured: Measured) -> None:
    calls = {path: len(sizes) for path, sizes in measured.large.items()}
    assert 0 < sum(calls.values()) <= MAX_CALLS, calls
    # The proxy saw the whole execution, not a part of it.
    for end in ("/files/register/", "/start/", "/files/claim/", "/files/report/", "/finalize/"):
        assert any(path.endswith(end) for path in calls), f"no call to {end} was counted"


def test_no_answer_grows_with_the_number_of_files(measured: Measured) -> None:
    grown = {path: more for path, more in growth(measured.small, measured.large).items() if more > DIGITS}
    assert grown == {}


@pytest.mark.parametrize("worker", ["general", "callback"])
def test_a_worker_that_has_worked_has_loaded_nothing_heavy(measured: Measured, worker: str) -> None:
    parent = measured.fleet.system.pids()[worker]
    pool = pool_children(parent)
    assert pool
    loaded = {pid: measured.modules(pid) for pid in (parent, *pool)}
    assert all("celery" in names for names in loaded.values())
    heavy = {pid: names & HEAVY for pid, names in loaded.items() if names & HEAVY}
    assert heavy == {}


def test_the_probe_sees_what_is_loaded(measured: Measured) -> None:
    backend = measured.modules(measured.fleet.system.pids()["backend"])
    assert {"litestar", "sqlalchemy"} <= backend
