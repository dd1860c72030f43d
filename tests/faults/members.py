"""The processes of a Docfleet, each started again when it dies, as pods are."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.config.registry import WORKERS as SPECS
from tests.acceptance.fleet import pool_children
from tests.servers import Process
from tests.waiting import until

CHILDREN = 2
"""Of a worker's pool."""
START_LIMIT = 3
_PERIOD = 0.05
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Member:
    """One process of Docfleet, kept running while it is ``wanted``, as a pod is."""

    def __init__(self, process: Process, ready: Callable[[], bool]) -> None:
        self.process = process
        self.ready = ready
        self.wanted = False
        self.lock = threading.RLock()

    @property
    def pid(self) -> int:
        """Of its leader: a worker's main process."""
        return self.process.pid

    def keep(self) -> None:
        """Start it again where it died."""
        with self.lock:
            if self.wanted and not self.process.runs:
                self.process.start()

    def stop(self, seconds: float = 0.0) -> None:
        """End it for good: with SIGTERM and ``seconds`` to end in, else with SIGKILL of the group."""
        with self.lock:
            self.wanted = False
            self.process.terminate(signal.SIGTERM if seconds else signal.SIGKILL, seconds or 10.0)

    def children(self) -> list[int]:
        """A worker's pool."""
        return pool_children(self.process.pid)


class Members:
    """Processes by name, started with ``environment``; their logs are in ``data``, what they announce in ``folder``."""

    folder: Path
    data: Path
    environment: dict[str, str]
    lifeline: Lifeline

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def keep_running(self) -> None:
        """From now on who dies is started again."""
        self._keeper.start()

    def stop_members(self) -> None:
        """End all of them."""
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join(40)
        for member in self.members.values():
            member.stop()

    def add(
        self, name: str, arguments: tuple[str, ...], ready: Callable[[], bool], settings: dict[str, str] | None = None
    ) -> Member:
        """Start ``docfleet ARGUMENTS`` as a member of this name, and do not wait."""
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", *arguments]
        environment = {**self.environment, **(settings or {})}
        process = Process(name, command, environment, self.data / "logs", self.lifeline)
        member = self.members[name] = Member(process, ready)
        member.wanted = True
        member.keep()
        return member

    def add_worker(
        self,
        kind: WorkerType,
        *,
        name: str = "",
        wait: bool = True,
        settings: dict[str, str] | None = None,
        slots: int = CHILDREN,
    ) -> Member:
        """One more worker of this type, with so many pool children."""
        name = name or (kind.value if kind.value not in self.members else f"{kind.value}-{uuid.uuid4().hex[:4]}")
        ready = self.folder / f"{name}.ready"
        arguments = ("worker", kind.value, *(("--concurrency", str(slots)) if SPECS[kind].concurrency != 1 else ()))
        # The worker takes the file away when it starts.
        member = self.add(name, arguments, ready.exists, {"WORKER_READY_FILE": str(ready), **(settings or {})})
        if wait:
            self.await_ready(name)
        return member

    def await_ready(self, *names: str, seconds: float = 60.0) -> None:
        """Return when these members (default: all that are wanted) serve."""
        members = [self.members[name] for name in names] or [each for each in self.members.values() if each.wanted]
        for member in members:
            starts = member.process.starts

            def serves(member: Member = member, starts: int = starts) -> bool:
                # One that dies again and again while nothing is done to it will never serve.
                if member.process.starts > starts + START_LIMIT:
                    raise RuntimeError(f"{member.process.name} does not start:\n{member.process.log_tail()}")
                return member.process.runs and member.ready()

            until(serves, seconds, what=f"{member.process.name} does not start:\n{member.process.log_tail()}")

    def url_answers(self, url: str) -> Callable[[], bool]:
        """Whether the server at ``url`` is ready."""

        def answers() -> bool:
            try:
                with OPENER.open(f"{url}/readyz", timeout=1.0) as answer:
                    return bool(answer.status == 200)
            except (OSError, ValueError):
                return False

        return answers

    def _keep(self) -> None:
        while not self._over.wait(_PERIOD):
            for member in list(self.members.values()):
                member.keep()

    def kill(self, name: str, *, child: bool = False, rng: random.Random | None = None) -> int:
        """SIGKILL: one process of a worker's pool, or the whole group of a member. Returns the process id."""
        member = self.members[name]
        if not child:
            pid = member.pid
            member.process.signal(signal.SIGKILL)
            return pid
        children = until(member.children, 20, what=f"{name} has no pool")
        victim = int((rng or random).choice(children))
        os.kill(victim, signal.SIGKILL)
        return victim

    @staticmethod
    def kill_process(pid: int) -> None:
        """SIGKILL of one process; harmless where it has ended."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def rest(self, *names: str, seconds: float = 0.0) -> None:
        """These members end and are not started again until ``wake``."""
        for name in names:
            self.members[name].stop(seconds)

    def wake(self, *names: str) -> None:
        """Start members again, and wait for them."""
        for name in names:
            self.members[name].wanted = True
            self.members[name].keep()
        self.await_ready(*names)

    def remove(self, name: str) -> None:
        """A worker that ``add_worker`` added is there no more."""
        self.members.pop(name).stop()

    @contextmanager
    def instead(self, *, slots: int = CHILDREN, **settings: str) -> Iterator[Member]:
        """One file-processing worker with so many children and these settings, and no other."""
        self.rest(WorkerType.FILE_PROCESSING.value)
        other = self.add_worker(WorkerType.FILE_PROCESSING, settings=settings, slots=slots)
        try:
            yield other
        finally:
            self.remove(other.process.name)
            self.wake(WorkerType.FILE_PROCESSING.value)

    @contextmanager
    def patient(self) -> Iterator[Member]:
        """One file-processing worker whose leases outlast a machine that stalls: a second attempt is a fault."""
        with self.instead(LEASE_SECONDS="120") as other:
            yield other
