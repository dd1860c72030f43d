"""Leases: while a batch works on its files, no other worker may claim them.

A thread renews at a third of the lease, and at once when the worker is notified of a stop. A lease is lost when another
worker claimed the file, or when it could not be renewed in time. Then the file is fenced: it is neither delivered nor
reported. After a stop no delivery starts, and the lease is held until it is released.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

from docfleet.core.batch_calls import FileClaim, Lease, RenewRequest, WaitingLease
from docfleet.core.errors import DocfleetError, Fenced
from docfleet.core.waiting import Wait, WaitCause
from docfleet.workers.shared.clients.file_client import FileClient
from docfleet.workers.shared.infrastructure.process.shutdown import out_of_grace
from docfleet.workers.shared.infrastructure.process.stop_hints import may_be_stopped, stop_count

log = structlog.get_logger()

POLL_SECONDS = 0.1
"""How often the thread checks whether its worker received a stop: it reads memory and makes no call."""


class LeaseKeeper:
    """The leases of a batch. Use it as a context manager: the renewing thread lives as long as the block."""

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
        self._waits: dict[str, Wait] = {}
        self._waits_changed = threading.Event()
        self._seen_stops = stop_count()
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
        """True once the backend answered that the execution is final or being stopped."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Remember that the execution is final or being stopped."""
        self._stop.set()

    @contextmanager
    def interrupting(self, file_execution_id: str, interrupt: Callable[[], object]) -> Iterator[None]:
        """Once ``is_lost`` is true, call ``interrupt`` from another thread until the block ends."""
        self._work = file_execution_id, interrupt
        try:
            yield
        finally:
            self._work = None

    def note_wait(self, file_execution_id: str, wait: Wait | None) -> None:
        """Remember what the file waits for, None for nothing. The backend learns a new cause at once, and the rest
        with the next renewal."""
        with self._lock:
            before = self._waits.pop(file_execution_id, None)
            if wait is not None:
                self._waits[file_execution_id] = wait
        if _cause(before) is not _cause(wait):
            self._waits_changed.set()

    def add(self, claims: list[FileClaim], sent_at: float) -> None:
        """Take over freshly claimed files. ``sent_at`` is when the claim was sent, on the monotonic clock: the lease in
        the database ends no earlier than that plus its length."""
        with self._lock:
            for claim in claims:
                self._held[claim.file_execution_id] = (claim.attempt, sent_at)

    def drop(self, file_execution_ids: list[str]) -> None:
        """Drop the leases of files that are reported or released."""
        with self._lock:
            for file_execution_id in file_execution_ids:
                self._held.pop(file_execution_id, None)
                self._waits.pop(file_execution_id, None)

    def held(self) -> list[Lease]:
        """The leases to renew now."""
        with self._lock:
            return [Lease(file_execution_id=key, attempt=attempt) for key, (attempt, _) in self._held.items()]

    def renewed(self, leases: list[Lease], lost: list[str], sent_at: float) -> None:
        """Note the answer to a renewal of ``leases`` that was sent at ``sent_at``. A late answer does not count for a
        lease that was lost meanwhile and claimed again under another attempt."""
        gone = set(lost)
        with self._lock:
            for lease in leases:
                attempt, known = self._held.get(lease.file_execution_id, (None, 0.0))
                if attempt != lease.attempt:
                    continue
                if lease.file_execution_id in gone:
                    del self._held[lease.file_execution_id]
                else:
                    self._held[lease.file_execution_id] = (lease.attempt, max(known, sent_at))

    def is_lost(self, file_execution_id: str) -> bool:
        """True when nothing more is to be done for the file: its lease is certainly lost (an overdue one may still
        be renewed), its execution is stopped, or this worker has no time left for it."""
        return self.stopped or out_of_grace() or not self.is_held(file_execution_id)

    def is_held(self, file_execution_id: str) -> bool:
        """True while there is a lease to renew or to give back."""
        with self._lock:
            return file_execution_id in self._held

    def require(self, file_execution_id: str, *, started: bool = False) -> None:
        """Raise ``Fenced`` unless the lease is certainly held. Called right before each attempt of a delivery. Once one
        has ``started``, its effect is unknown, so a stop does not prevent the next attempt from completing it."""
        with self._lock:
            held = self._held.get(file_execution_id)
        if out_of_grace() and not started:
            raise Fenced(f"this worker shuts down and hands file execution {file_execution_id} back")
        if self.stopped and not started:
            raise Fenced(f"the execution of file execution {file_execution_id} is being stopped")
        if held is None or time.monotonic() - held[1] >= self.lease_seconds:
            raise Fenced(f"the lease of file execution {file_execution_id} is lost")

    def _waiting(self, leases: list[Lease]) -> list[WaitingLease]:
        with self._lock:
            waits = dict(self._waits)
        return [
            WaitingLease(file_execution_id=lease.file_execution_id, attempt=lease.attempt, wait=wait)
            for lease in leases
            if (wait := waits.get(lease.file_execution_id)) is not None
        ]

    def _renew_loop(self) -> None:
        period = self.lease_seconds / 3
        renewed = time.monotonic()
        interrupted = None
        while not self._closing.wait(min(POLL_SECONDS, period)):
            stopping = not self.stopped and may_be_stopped(self._execution_id, since=self._seen_stops)
            if stopping or self._waits_changed.is_set() or time.monotonic() - renewed >= period:
                # The hint is kept until the backend, which decides, has answered about a file.
                count = stop_count()
                if self._renew():
                    self._seen_stops = count
                renewed = time.monotonic()
            work = self._work
            if work is not None and work is not interrupted and self.is_lost(work[0]):
                interrupted = work
                threading.Thread(target=self._interrupt, args=(work,), name="interrupt", daemon=True).start()

    def _interrupt(self, work: tuple[str, Callable[[], object]]) -> None:
        # Repeated, because the first call may come before the work to interrupt has started.
        while self._work is work:
            try:
                work[1]()
            except DocfleetError as error:
                log.warning("work.not_interrupted", file_execution_id=work[0], error=error.message)
            self._closing.wait(POLL_SECONDS)

    def _renew(self) -> bool:
        """Renew what is held; False when nothing is held or the backend does not answer."""
        self._waits_changed.clear()
        leases = self.held()
        if not leases:
            return False
        request = RenewRequest(
            owner=self.owner, lease_seconds=self.lease_seconds, leases=leases, waiting=self._waiting(leases)
        )
        sent_at = time.monotonic()
        try:
            answer = self._client.renew(self._execution_id, request)
        except DocfleetError as error:
            # A lease that is not renewed in time counts as lost: ``require`` checks that.
            log.warning("lease.not_renewed", error=error.message)
            return False
        self.renewed(leases, answer.lost, sent_at)
        if answer.stop:
            self.stop()
        return True


def _cause(wait: Wait | None) -> WaitCause | None:
    return None if wait is None else wait.cause
