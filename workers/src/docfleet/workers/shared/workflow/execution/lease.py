"""Leases: keep the files of a batch ours while we work on them.

A thread renews at a third of the lease, and at once when the worker hears of a stop. A lease that is lost (somebody
else claimed the file) or that could not be renewed in time means "fenced": the file is not delivered and not
reported. A stop means that no delivery begins any more; the lease stays ours until it is given back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

from docfleet.core.batch_calls import FileClaim, Lease, RenewRequest
from docfleet.core.errors import DocfleetError, Fenced
from docfleet.workers.shared.clients.file_client import FileClient
from docfleet.workers.shared.infrastructure.process.shutdown import out_of_grace
from docfleet.workers.shared.infrastructure.process.stopping import stops_told, was_told

log = structlog.get_logger()

LOOK_SECONDS = 0.1
"""How often the thread looks whether its worker was told of a stop: a byte of memory, no call."""


class LeaseKeeper:
    """The leases a batch holds. Use as a context manager: the renewing thread lives as long as the block."""

    def __init__(self, client: FileClient, execution_id: str, owner: str, lease_seconds: float) -> None:
        self.owner = owner
        self.lease_seconds = lease_seconds
        self._client = client
        self._execution_id = execution_id
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, float]] = {}
        self._stop = threading.Event()
        self._closing = threading.Event()
        self._work: tuple[str, Callable[[], object]] | None = None
        self._told = stops_told()
        self._thread = threading.Thread(target=self._renew_loop, name="lease-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join(timeout=self.lease_seconds)

    @property
    def stopped(self) -> bool:
        """True when the backend said that the execution is final or being stopped."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Remember that the execution is final or being stopped."""
        self._stop.set()

    @contextmanager
    def interrupting(self, file_execution_id: str, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have ``interrupt`` called, in another thread and until the block ends, once ``is_lost`` says so."""
        self._work = file_execution_id, interrupt
        try:
            yield
        finally:
            self._work = None

    def add(self, claims: list[FileClaim], asked: float) -> None:
        """Take over freshly claimed files. ``asked`` is when the claim was sent, on the monotonic clock: the lease in
        the database ends no earlier than that plus its length."""
        with self._lock:
            for claim in claims:
                self._held[claim.file_execution_id] = (claim.attempt, asked)

    def drop(self, file_execution_ids: list[str]) -> None:
        """These files are reported or given back."""
        with self._lock:
            for file_execution_id in file_execution_ids:
                self._held.pop(file_execution_id, None)

    def held(self) -> list[Lease]:
        """The leases to renew now."""
        with self._lock:
            return [Lease(file_execution_id=key, attempt=attempt) for key, (attempt, _) in self._held.items()]

    def renewed(self, leases: list[Lease], lost: list[str], asked: float) -> None:
        """Note the answer to a renewal of ``leases`` that was sent at ``asked``. It may come late: about a lease that
        was lost and taken anew meanwhile, under another attempt, it says nothing."""
        gone = set(lost)
        with self._lock:
            for lease in leases:
                attempt, known = self._held.get(lease.file_execution_id, (None, 0.0))
                if attempt != lease.attempt:
                    continue
                if lease.file_execution_id in gone:
                    del self._held[lease.file_execution_id]
                else:
                    self._held[lease.file_execution_id] = (lease.attempt, max(known, asked))

    def is_lost(self, file_execution_id: str) -> bool:
        """True when nothing more is to be done for the file: it is certainly not ours any more (a lease that is late
        may still be renewed), its execution is stopped, or this worker has no time for it."""
        return self.stopped or out_of_grace() or not self.is_held(file_execution_id)

    def is_held(self, file_execution_id: str) -> bool:
        """True while there is a lease to renew or to give back."""
        with self._lock:
            return file_execution_id in self._held

    def require(self, file_execution_id: str, *, begun: bool = False) -> None:
        """Raise ``Fenced`` unless the file is certainly still ours. Asked right before each try of a delivery; once
        one has ``begun``, nobody knows what it did, and a stop does not keep it from coming to its end."""
        with self._lock:
            held = self._held.get(file_execution_id)
        if out_of_grace() and not begun:
            raise Fenced(f"this worker ends and hands file execution {file_execution_id} back")
        if self.stopped and not begun:
            raise Fenced(f"the execution of file execution {file_execution_id} is being stopped")
        if held is None or time.monotonic() - held[1] >= self.lease_seconds:
            raise Fenced(f"the lease of file execution {file_execution_id} is lost")

    def _renew_loop(self) -> None:
        period = self.lease_seconds / 3
        renewed = time.monotonic()
        interrupted = None
        while not self._closing.wait(min(LOOK_SECONDS, period)):
            told = not self.stopped and was_told(self._execution_id, since=self._told)
            if told or time.monotonic() - renewed >= period:
                # The hint is remembered until the backend, which alone knows, was asked about a file.
                counted = stops_told()
                if self._renew():
                    self._told = counted
                renewed = time.monotonic()
            work = self._work
            if work is not None and work is not interrupted and self.is_lost(work[0]):
                interrupted = work
                threading.Thread(target=self._interrupt, args=(work,), name="interrupt", daemon=True).start()

    def _interrupt(self, work: tuple[str, Callable[[], object]]) -> None:
        # Again and again: the first call may come before what it is to end has begun.
        while self._work is work:
            try:
                work[1]()
            except DocfleetError as error:
                log.warning("work.not_interrupted", file_execution_id=work[0], error=error.message)
            self._closing.wait(LOOK_SECONDS)

    def _renew(self) -> bool:
        """Renew what is held; False when nothing is, or nobody answered."""
        leases = self.held()
        if not leases:
            return False
        request = RenewRequest(owner=self.owner, lease_seconds=self.lease_seconds, leases=leases)
        asked = time.monotonic()
        try:
            answer = self._client.renew(self._execution_id, request)
        except DocfleetError as error:
            # Not renewed in time is as good as lost; ``require`` sees to that.
            log.warning("lease.not_renewed", error=error.message)
            return False
        self.renewed(leases, answer.lost, asked)
        if answer.stop:
            self.stop()
        return True
