"""Random ``kill -9`` of parts of a running world, and how long what they hit took to go on."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from docfleet.core.names import WorkerType
from docfleet.core.status import ExecutionStatus
from tests.faults.world import World

TARGETS = ("child", "worker", "runner", "backend", "broker", "scheduler")
PAUSE_SECONDS = (2.0, 5.0)
BROKER_AWAY_SECONDS = (0.2, 2.0)
_POLL_SECONDS = 0.2
_PROCESS = re.compile(r"/(\d+)(?:#|$)")
_OPEN = ("PENDING", "EXECUTING")


@dataclass
class Kill:
    """One kill: ``at`` in epoch seconds; ``held`` are the files under leases of the processes that died, by attempt."""

    at: float
    target: str
    victim: str
    held: dict[str, int] = field(default_factory=dict)


class Killer:
    """Kills something every two to five seconds, as ``rng`` says. All of it is started again at once."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._broker = threading.Lock()
        self._restarts: list[threading.Thread] = []
        self.kills: list[Kill] = []
        self._absences: list[tuple[float, float]] = []

    def run(self, seconds: float, until: Callable[[], bool]) -> None:
        """Kill for so long, and until it is so, but not twice as long; returns when the broker runs again."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or (passed < 2 * seconds and not until()):
            time.sleep(self._rng.uniform(*PAUSE_SECONDS))
            self._one(self._rng.choice(TARGETS))
        for thread in self._restarts:
            thread.join()

    def counted(self) -> Counter[str]:
        """Kills by target."""
        return Counter(kill.target for kill in self.kills)

    def broker_away(self, began: float, ended: float) -> float:
        """Seconds between two times in which no broker answered."""
        return sum(max(0.0, min(ended, until) - max(began, since)) for since, until in self._absences)

    def _one(self, target: str) -> None:
        if target == "broker":
            self._kill_broker()
            return
        names = self._members(target)
        # Who holds files: half of the kills that can meet them do.
        holders = [name for name in names if name.startswith(WorkerType.FILE_PROCESSING.value)]
        name = self._rng.choice(holders if holders and self._rng.random() < 0.5 else names)
        member = self._world.members[name]
        with member.lock:  # nobody starts it again in the middle
            pool = member.children() if name not in ("backend", "runner") else []
            if not member.process.runs or (target == "child" and not pool):
                return
            victims = [self._rng.choice(pool)] if target == "child" else pool
            kill = Kill(0.0, target, name, self._held(victims))
            if target == "child":
                with suppress(ProcessLookupError):
                    os.kill(victims[0], signal.SIGKILL)
            else:
                self._world.kill(name)
        self._note(kill)

    def _members(self, target: str) -> list[str]:
        schedulers = [name for name in self._world.members if name.startswith(WorkerType.SCHEDULER.value)]
        match target:
            case "runner" | "backend":
                return [target]
            case "scheduler":
                return schedulers
            case _:
                return [name for name in self._world.members if name not in ("runner", "backend", *schedulers)]

    def _kill_broker(self) -> None:
        if not self._broker.acquire(blocking=False):
            return  # it is still coming back
        away = self._rng.uniform(*BROKER_AWAY_SECONDS)
        broker = self._world.broker
        broker.kill()
        since = time.time()
        self._note(Kill(0.0, "broker", f"{broker.process.name} for {away:.1f} s"))

        def restart() -> None:
            time.sleep(away)
            try:
                broker.start()
                self._absences.append((since, time.time()))
            finally:
                self._broker.release()

        thread = threading.Thread(target=restart, daemon=True)
        thread.start()
        self._restarts.append(thread)

    def _note(self, kill: Kill) -> None:
        kill.at = time.time()
        self.kills.append(kill)
        with (self._world.data / "logs" / "kills.txt").open("a") as stream:
            stream.write(f"{kill.at:.3f} {kill.target} {kill.victim} {kill.held}\n")

    def _held(self, pids: list[int]) -> dict[str, int]:
        query = "SELECT id, attempt, owner FROM file_executions WHERE status = 'EXECUTING' AND owner IS NOT NULL"
        with self._world.database.connect() as connection:
            rows = connection.execute(sa.text(query)).all()
        found = {}
        for row in rows:
            process = _PROCESS.search(row.owner)
            if process is not None and int(process[1]) in pids:
                found[row.id] = row.attempt
        return found


class Watch:
    """Reads rows five times a second until ``close``: when lost files go on, and how long an execution is silent.

    ``recoveries``: for each file whose holder was killed, when that was, when somebody claimed it again, or it had its
    end, and its id.
    ``silences``: for each execution, the longest time without any sign of it (registration, claim, report, end); as it
    includes waiting for a free worker, it is never less than what a kill costs.
    """

    def __init__(self, world: World, killer: Killer) -> None:
        self._world = world
        self._killer = killer
        self._over = threading.Event()
        self._seen = 0
        self._waiting: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}
        self.recoveries: list[tuple[float, float, str]] = []
        self.silences: dict[str, float] = {}
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    @property
    def open(self) -> int:
        """How many executions were open at the last look."""
        return len(self._last)

    @property
    def unrecovered(self) -> list[str]:
        """Lost files that nobody has claimed again so far."""
        return list(self._waiting)

    def close(self) -> None:
        """A last look, and no more."""
        self._over.set()
        self._thread.join()
        self._look()

    def _loop(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            with suppress(sa.exc.OperationalError):  # SQLite: somebody writes
                self._look()

    def _look(self) -> None:
        kills = self._killer.kills[self._seen :]
        self._seen += len(kills)
        for kill in kills:
            # One that is lost again before anybody had it waits since its first loss.
            self._waiting = {name: (kill.at, attempt) for name, attempt in kill.held.items()} | self._waiting
        with self._world.database.connect() as connection:
            self._look_at_files(connection)
            self._look_at_executions(connection)

    def _look_at_files(self, connection: sa.Connection) -> None:
        rows = _select(
            connection, "SELECT id, attempt, status, modified_at FROM file_executions WHERE id", self._waiting
        )
        for row in rows:
            at, attempt = self._waiting[row.id]
            done = ExecutionStatus(row.status).is_final
            if row.attempt == attempt and not done:
                continue
            del self._waiting[row.id]
            # Else its report was quicker than the kill: nothing was lost.
            if row.attempt != attempt or row.status == "ERROR":
                self.recoveries.append((at, max(at, row.modified_at), row.id))

    def _look_at_executions(self, connection: sa.Connection) -> None:
        columns = "id, status, created_at, progress_at, finished_at"
        rows = _select(connection, f"SELECT {columns} FROM executions WHERE status", _OPEN)
        open_ids = {row.id for row in rows}
        rows += _select(connection, f"SELECT {columns} FROM executions WHERE id", set(self._last) - open_ids)
        for row in rows:
            sign = row.finished_at or row.progress_at
            silence = sign - self._last.get(row.id, row.created_at)
            self.silences[row.id] = max(self.silences.get(row.id, 0.0), silence)
            if row.finished_at:
                self._last.pop(row.id, None)
            else:
                self._last[row.id] = sign


def _select(connection: sa.Connection, query: str, values: Iterable[str]) -> list[sa.Row[tuple[object, ...]]]:
    statement = sa.text(f"{query} IN :values").bindparams(sa.bindparam("values", expanding=True))
    return list(connection.execute(statement, {"values": list(values)})) if values else []


def percentile(values: Iterable[float], share: float) -> float:
    """Nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
