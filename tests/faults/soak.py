"""The soak: many executions while something is killed every few seconds; afterwards everything has to be right.

Two workers of each type on real servers. It tells what is stuck, lost, doubled, failed through no fault of its own, or
left behind, and how long recovery took.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from docfleet.core.errors import BrokerUnavailable, DocfleetError
from docfleet.core.names import WorkerType
from docfleet.core.storage import STEPS, UPLOADS
from tests.faults.fault_run import FaultRun
from tests.faults.kills import Killer, Watch, percentile
from tests.faults.world import LEASE_SECONDS, SWEEP_SECONDS, World

SETTINGS = {"API_CONCURRENT_LIMIT_ORG": "10000", "API_CONCURRENT_LIMIT_GLOBAL": "10000"}
WORKERS = {
    WorkerType.GENERAL: 2,
    WorkerType.API_DEPLOYMENT: 2,
    WorkerType.FILE_PROCESSING: 2,
    WorkerType.CALLBACK: 2,
    # The world has one of its own.
    WorkerType.SCHEDULER: 1,
}
FILES = 20
RECOVERY_SECONDS = LEASE_SECONDS + 15.0
"""What a lost file may take at most until somebody has it again (99 of 100)."""
DRAIN_SECONDS = 240.0
DESTINATIONS = ("sqlite", "postgres", "files", "api")
STARTERS = 2
PARALLEL_RUNS = 5
_NAP_SECONDS = 0.2
_SLOWEST = 5
_BROKEN = "leave"
"""What a document says whose tool ends without a result."""


@dataclass
class Plan:
    """One execution as it is meant to be; ``expected`` is each file's status by name."""

    destination: str
    files: dict[str, str]
    expected: dict[str, str]


@dataclass
class Findings:
    """What a soak found. Empty lists and no ``p99`` above the bar: as it has to be."""

    wrong: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """For the report."""
        self.lines.append(line)
        print(line, flush=True)


class SoakRun(FaultRun):
    """An execution whose destination is read by the backend without a process of its own for each."""

    plan: Plan

    @property
    def was_refused(self) -> bool:
        """Nothing was begun and its caller was told so: the broker was away."""
        row = self.execution()
        return row["status"] == "ERROR" and row["error_code"] == BrokerUnavailable.code and not self.files()

    def wait(self, seconds: float = 0.0) -> SoakRun:
        """It was waited for."""
        assert self.is_final(), "it did not end"
        return self

    def _check_verify(self, delivered: int, error_rows: int) -> None:
        found = self.world.client.verify(self.id)
        assert found.clean, f"not clean: {found}"
        assert (found.delivered_once, found.not_compared) == (delivered, 0), found


class Soak:
    """One soak on one leg. ``seed`` decides on the executions and the kills, not on who meets whom."""

    def __init__(self, leg: str, runs: int, seconds: float, seed: int, folder: Path) -> None:
        self._seconds = seconds
        self._rng = random.Random(f"{seed} {leg}")
        self._plans = [_plan(self._rng, number) for number in range(runs)]
        self._lock = threading.Lock()
        self._begun: dict[str, SoakRun] = {}
        self._named: dict[str, Plan] = {}
        self._refused = 0
        self._over = threading.Event()
        self.findings = Findings()
        self.findings.say(f"soak: leg {leg}, seed {seed}, {runs} executions of {FILES} files, {seconds:.0f} s of kills")
        self.world = World(leg, folder, settings=SETTINGS, workers=WORKERS)

    def run(self) -> Findings:
        """Everything: kill, drain, check."""
        killer = Killer(self.world, self._rng)
        watch = self.watch = Watch(self.world, killer)
        starters = [threading.Thread(target=self._start, args=(number,), daemon=True) for number in range(STARTERS)]
        for thread in starters:
            thread.start()
        killer.run(self._seconds, until=lambda: not any(thread.is_alive() for thread in starters))
        over = time.time()
        self._over.set()
        for thread in starters:
            thread.join()
        self._drain()
        drained = max((row.finished_at or time.time() for row in self._rows("executions")), default=over)
        watch.close()
        self._adopt()
        self._report_times(killer, watch, max(0.0, drained - over))
        self._check()
        return self.findings

    # Beginning

    def _start(self, which: int) -> None:
        """Every so manyth execution, at an even pace through nine tenths of the time.

        At most ``PARALLEL_RUNS`` at once: a lost file then waits for recovery, and not for the work of a slow machine.
        """
        began, pace = time.monotonic(), 0.9 * self._seconds / max(1, len(self._plans))
        for number in range(which, len(self._plans), STARTERS):
            time.sleep(max(0.0, began + number * pace - time.monotonic()))
            while self.watch.open >= PARALLEL_RUNS and not self._over.is_set():
                time.sleep(0.2)
            if self._over.is_set():
                return
            self._begin(self._plans[number])

    def _begin(self, plan: Plan) -> None:
        """As a patient caller: one whose call was cut begins again, and what the call had begun has to end as well."""
        while True:
            name = f"w{uuid.uuid4().hex[:12]}"
            with self._lock:
                self._named[name] = plan
            try:
                run = self.world.begin(plan.files, destination=plan.destination, tool=_TOOL, name=name)
            except (DocfleetError, OSError, ValueError, http.client.HTTPException, AssertionError):
                with self._lock:
                    self._refused += 1
                time.sleep(0.5)
                continue
            self._know(run, plan)
            return

    def _know(self, run: FaultRun, plan: Plan) -> None:
        known = SoakRun(self.world, run.id, plan.destination, source=run.source, pipeline=run.pipeline, api=run.api)
        known.plan = plan
        with self._lock:
            self._begun[run.id] = known

    def _adopt(self) -> None:
        """Executions whose callers never learned of them."""
        query = "SELECT e.id, p.pipeline_name FROM executions e LEFT JOIN pipelines p ON p.id = e.pipeline_id"
        with self.world.database.connect() as connection:
            rows = [row for row in connection.execute(sa.text(query)) if row.id not in self._begun]
        for row in rows:
            if row.pipeline_name is None:
                names = {file.file_name for file in self._rows("file_executions") if file.execution_id == row.id}
                plan = next(plan for plan in self._plans if plan.destination == "api" and names <= set(plan.files))
                self._know(FaultRun(self.world, row.id, "api"), plan)
            else:
                plan = self._named[row.pipeline_name]
                source = self.world.folder / "sources" / row.pipeline_name
                run = FaultRun(self.world, row.id, plan.destination, source=source, pipeline=row.pipeline_name)
                self._know(run, plan)
        self.findings.say(f"{self._refused} calls failed and were repeated; {len(rows)} of them had begun an execution")

    # The end

    def _open(self) -> list[sa.Row[Any]]:
        return [row for row in self._rows("executions") if row.status in ("PENDING", "EXECUTING")]

    def _rows(self, table: str) -> list[sa.Row[Any]]:
        with self.world.database.connect() as connection:
            return list(connection.execute(sa.text(f"SELECT * FROM {table}")))

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._open() and time.monotonic() < deadline:
            time.sleep(0.5)
        for row in self._open():
            statuses = Counter(file.status for file in self._rows("file_executions") if file.execution_id == row.id)
            self.findings.wrong.append(f"stuck: {row.id} {row.status}, files {dict(statuses)}")

    def _check(self) -> None:
        say, wrong = self.findings.say, self.findings.wrong
        innocent = list(self._innocent())
        wrong += innocent
        checked = Counter[str]()
        for run in self._begun.values():
            if not run.is_final():
                continue
            try:
                if run.was_refused:
                    checked["refused"] += 1
                    continue
                run.check(run.plan.expected)
                checked[run.destination] += 1
            except Exception as error:  # one of 200: say so and look at the others
                wrong.append(f"wrong: {run.id} ({run.destination}): {str(error)[:600]}")
        time.sleep(2 * SWEEP_SECONDS)
        for run in self._begun.values():
            try:
                run.check_again()
            except AssertionError as error:
                wrong.append(f"moved: {run.id}: {error}")
        wrong += self._left()
        if len(self._begun) < len(self._plans):
            wrong.append(f"slow: only {len(self._begun)} of {len(self._plans)} executions were begun")
        say(f"right: {sum(checked.values())} of {len(self._begun)} executions {dict(checked)}")
        say(f"innocent files failed: {len(innocent)}")

    def _innocent(self) -> Iterator[str]:
        for row in self._rows("file_executions"):
            run = self._begun.get(row.execution_id)
            if run is not None and row.status == "ERROR" and run.plan.expected.get(row.file_name) != "ERROR":
                yield (
                    f"innocent: {row.execution_id} {row.file_name}: {row.error_code}: {row.error} "
                    f"(attempt {row.attempt}, strikes {row.strikes}, losses {row.losses})"
                )

    def _left(self) -> Iterator[str]:
        held = [row.id for row in self._rows("file_executions") if row.lease_until > time.time()]
        if held:
            yield f"left: leases of {len(held)} files"
        storage = self.world.data / "storage"
        files = [path.relative_to(storage) for path in storage.rglob("*") if path.is_file()]
        kept = [path for path in files if path.parts[0] == STEPS]
        self.findings.say(f"steps kept until their time is over: {len(kept)} files")
        failed = Counter(row.execution_id for row in self._rows("file_executions") if row.status == "ERROR")
        again = [path for path in files if self._may_be_retried(path, failed)]
        if left := [str(path) for path in files if path not in kept and path not in again]:
            yield f"left: {len(left)} working files: {left[:5]}"
        servers = [(self.world.valkey.port, 2)]
        if self.world.leg == "redis":
            servers.append((self.world.results.port, 0))
        for port, database in servers:
            with redis.Redis(port=port, db=database, decode_responses=True) as client:
                for key in client.scan_iter():
                    if client.ttl(key) == -1:
                        yield f"left: Redis key {key} has no end"

    def _may_be_retried(self, path: Path, failed: Counter[str]) -> bool:
        """An upload of a call is kept for a retry as long as the results, once for each of its files that failed."""
        if path.parts[-2] != UPLOADS or not failed[path.parts[-3]]:
            return False
        failed[path.parts[-3]] -= 1
        return True

    def _report_times(self, killer: Killer, watch: Watch, drained: float) -> None:
        say = self.findings.say
        whole = [again - lost for lost, again, _ in watch.recoveries]
        # No fleet recovers while its broker boots, and a RabbitMQ that was killed takes five to ten seconds to.
        found = [again - lost - killer.broker_away(lost, again) for lost, again, _ in watch.recoveries]
        silences = list(watch.silences.values())
        hit = sum(1 for kill in killer.kills if kill.held)
        say(f"kills: {len(killer.kills)} {dict(killer.counted())}, {hit} met a process that held files")
        worst = percentile(found, 0.99)
        say(
            f"recovery: {len(found)} files lost their process; claimed again after p50 {percentile(found, 0.5):.1f} s, "
            f"p99 {worst:.1f} s (bar: {RECOVERY_SECONDS:.0f} s), not counting the time the broker was away; "
            f"counting it p99 {percentile(whole, 0.99):.1f} s"
        )
        for lost, again, file in sorted(watch.recoveries, key=lambda row: row[0] - row[1])[:_SLOWEST]:
            say(f"  {again - lost:.1f} s from {lost:.1f}: file {file}")
        say(
            f"silence of an execution: p50 {percentile(silences, 0.5):.1f} s, p99 {percentile(silences, 0.99):.1f} s, "
            f"at most {max(silences, default=0.0):.1f} s; all had ended {drained:.1f} s after the last kill"
        )
        if worst > RECOVERY_SECONDS:
            self.findings.wrong.append(f"slow: recovery p99 {worst:.1f} s")
        if watch.unrecovered:
            self.findings.wrong.append(f"lost: files {watch.unrecovered[:5]} were never claimed again")


_TOOL = {"tool": "actor"}


def _plan(rng: random.Random, number: int) -> Plan:
    files, expected = {}, {}
    broken = rng.randrange(FILES) if number % 10 == 9 else None
    for count in range(FILES):
        name = f"{count:02}.txt"
        files[name] = f"nap {rng.uniform(0, _NAP_SECONDS):.2f} {number} {rng.random()}"
        expected[name] = "COMPLETED"
        if count == broken:
            files[name], expected[name] = f"{_BROKEN} {number} {rng.random()}", "ERROR"
    return Plan(DESTINATIONS[number % len(DESTINATIONS)], files, expected)
