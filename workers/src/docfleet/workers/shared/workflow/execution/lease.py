"""Leases: keep the files of a batch ours while we work on them.

A thread renews at a third of the lease. A lease that is lost (somebody else claimed the file) or that could not
be renewed in time means "fenced": the file is not delivered and not reported.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import structlog

from docfleet.core.errors import DocfleetError, Fenced
from docfleet.core.execution import FileClaim, Lease, RenewRequest
from docfleet.workers.shared.clients.file_client import FileClient

log = structlog.get_logger()


class LeaseKeeper:
    """The leases a batch holds. Use as a context manager: the renewing thread lives as long as the block."""

    def __init__(self, client: FileClient, execution_id: str, owner: str, lease_seconds: float) -> None:
        self.owner = owner
        self.lease_seconds = lease_seconds
        self._client = client
        self._execution_id = execution_id
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, float]] = {}
        self._lost: set[str] = set()
        self._stop = threading.Event()
        self._closing = threading.Event()
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
        """True when the backend said that the execution is final."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Remember that the execution is final."""
        self._stop.set()

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
        """Note the answer to a renewal that was sent at ``asked``."""
        with self._lock:
            self._lost.update(lost)
            for lease in leases:
                if lease.file_execution_id in self._held and lease.file_execution_id not in self._lost:
                    self._held[lease.file_execution_id] = (lease.attempt, asked)
            for file_execution_id in lost:
                self._held.pop(file_execution_id, None)

    def is_lost(self, file_execution_id: str) -> bool:
        """True when the file is certainly not ours any more; a lease that is late may still be renewed."""
        with self._lock:
            return self.stopped or file_execution_id not in self._held

    def require(self, file_execution_id: str) -> None:
        """Raise ``Fenced`` unless the file is certainly still ours. Asked right before a delivery."""
        with self._lock:
            held = self._held.get(file_execution_id)
        if self.stopped or held is None or time.monotonic() - held[1] >= self.lease_seconds:
            raise Fenced(f"the lease of file execution {file_execution_id} is lost")

    def _renew_loop(self) -> None:
        while not self._closing.wait(self.lease_seconds / 3):
            leases = self.held()
            if not leases:
                continue
            request = RenewRequest(owner=self.owner, lease_seconds=self.lease_seconds, leases=leases)
            asked = time.monotonic()
            try:
                answer = self._client.renew(self._execution_id, request)
            except DocfleetError as error:
                # Not renewed in time is as good as lost; ``require`` sees to that.
                log.warning("lease.not_renewed", error=error.message)
                continue
            self.renewed(leases, answer.lost, asked)
            if answer.stop:
                self.stop()
