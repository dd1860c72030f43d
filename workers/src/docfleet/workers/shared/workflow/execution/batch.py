"""One batch: claim files page by page, process them, report in groups.

A batch never raises for a fault of its files. Near the soft time limit, or when its worker shuts down, it takes no
more files and sends the rest on as a new batch. It does so, too, when it has used its quantum while others wait. When
its own slice is done it helps its siblings: the backend hands out files without a lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import ClaimRequest, ClaimResponse, FileClaim, Release, ReportRequest
from docfleet.core.errors import DependencyError, MachineTrouble, RunnerBusy, ToolKilled
from docfleet.core.faults import point
from docfleet.core.files import FileBatchData
from docfleet.core.ids import new_id
from docfleet.core.results import BatchExecutionResult, FileOutcome
from docfleet.core.waiting import Wait
from docfleet.workers.shared.clients.file_client import FileClient
from docfleet.workers.shared.infrastructure.process.file_in_work import working_on
from docfleet.workers.shared.infrastructure.process.shutdown import out_of_grace
from docfleet.workers.shared.infrastructure.process.slot_hints import hint_count
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.file_waits import wait_after
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.slot import Slot

log = structlog.get_logger()

REPORT_FILES = 50
REPORT_SECONDS = 0.5
REPORT_SHARE = 0.1
"""A report is due after this share of the batch's age (at least ``REPORT_SECONDS``, at most ``MAX_REPORT_SECONDS``),
so that the number of reports grows with the logarithm of the duration, and progress is still seen live."""
MAX_REPORT_SECONDS = 5.0
REPORT_BYTES = 2 * 1024**2
"""A report is due when the results in it (of an API) have this many bytes."""
REPORTING_BATCHES = 2
"""With more batches than this, each reports less often, so that calls do not grow with the parallelism."""


class BatchRun:
    """Carries out one ``FileBatchData``. ``should_stop`` is called between two files."""

    def __init__(
        self,
        batch: FileBatchData,
        client: FileClient,
        leases: LeaseKeeper,
        file_run: FileRun,
        slot: Slot,
        *,
        claim_limit: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self._batch = batch
        self._client = client
        self._leases = leases
        self._file_run = file_run
        self._slot = slot
        self._claim_limit = claim_limit
        self._should_stop = should_stop
        self._execution_id = batch.file_data.execution_id
        self._outcomes: list[FileOutcome] = []
        self._bytes = 0
        self._started = self._reported = time.monotonic()
        self._result = BatchExecutionResult(organization_id=batch.file_data.organization_id)
        self.unfinished = False
        """True when it had to stop before it was done: files are left for another batch."""
        self.ended = False
        """True when its report was the last one of the execution, which made the execution final."""

    def run(self, claimed: ClaimResponse, sent_at: float) -> BatchExecutionResult:
        """Process until there is nothing left to claim, the execution is stopped, or it has to stop early.

        ``claimed`` is the answer to the first ``claim_request``, sent at ``sent_at`` on the monotonic clock.
        """
        claims = self._take(claimed, sent_at)
        while claims:
            for position, claim in enumerate(claims):
                if self._leases.stopped:
                    return self._finish()
                if self._should_stop():
                    self._hand_back(claims[position:])
                    return self._finish()
                try:
                    if not self._process(claim):
                        self._hand_back(claims[position:])
                        return self._finish()
                except SoftTimeLimitExceeded:
                    # The file that took the time keeps its lease, and its attempt counts. The others lose nothing.
                    self._result.errors.append(f"the batch ran into its time limit at {claim.file.file_name}")
                    self._hand_back(claims[position + 1 :])
                    return self._finish()
                except (MachineTrouble, RunnerBusy) as error:
                    self._give_back(claim, error)
                except DependencyError as error:
                    # The runner is at fault, not a file: the files wait without a loss until the sweep sends them
                    # again.
                    log.warning("batch.waits", code=error.code, error=error.message)
                    self._result.errors.append(error.message)
                    self._hand_back(claims[position:], again=False, wait=wait_after(error))
                    return self._finish()
                if self._slot.has_to_yield:
                    return self._yielded()
            claims = self._report(claim_next=not self._batch.files)
            if self._slot.has_to_yield:
                return self._yielded()
        return self._finish()

    def _yielded(self) -> BatchExecutionResult:
        """Others get the slot: the backend has released the files that were not started."""
        self.unfinished = True
        log.info("batch.yielded", files=self._result.total_files)
        return self._finish()

    def _process(self, claim: FileClaim) -> bool:
        """False when the worker has no time left to finish the file."""
        with working_on(claim.file_execution_id):
            outcome = self._file_run.process(claim)
        if outcome is None and out_of_grace() and self._leases.is_held(claim.file_execution_id):
            return False
        if outcome is None:
            if not self._leases.stopped:  # the lease of a stopped file is released with the last report
                self._leases.drop([claim.file_execution_id])
            return True
        self._outcomes.append(outcome)
        self._result.add(outcome, claim.file.file_name)
        self._slot.add_file(outcome.pages)
        self._bytes += len(outcome.result) if isinstance(outcome.result, msgspec.Raw) else 0
        if len(self._outcomes) >= REPORT_FILES or self._report_is_due() or self._slot.report_is_due():
            self._report(claim_next=False)
        return True

    def _report_is_due(self) -> bool:
        if self._bytes >= REPORT_BYTES:
            return True
        now = time.monotonic()
        share = REPORT_SHARE * (now - self._started)
        spread = max(1.0, self._batch.batch_count / REPORTING_BATCHES)
        # A batch that goes on after a yield is not young: it reports once in its turn.
        shortest = max(REPORT_SECONDS, self._slot.answer.quantum_seconds if self._batch.yielded_at else 0.0)
        wait = min(max(shortest, share) * spread, MAX_REPORT_SECONDS)
        return now - self._reported >= wait

    def _report(self, *, claim_next: bool, release: list[Release] | None = None) -> list[FileClaim]:
        """Send the outcomes and, with ``claim_next``, claim the next files: one call."""
        claim = (
            claim_request(self._batch, self._leases, self._slot.claim_limit(self._claim_limit))
            if claim_next and not self._leases.stopped
            else None
        )
        if not (self._outcomes or release or claim):
            return []
        reported = [outcome.file_execution_id for outcome in self._outcomes]
        held = [lease for lease in self._leases.held() if lease.file_execution_id not in reported]
        sent_at, hints = time.monotonic(), hint_count()
        # A release hands the files back for another reason: the batch ends in any case.
        slot = None if release else self._slot.use()
        point("report.before")
        answer = self._client.report(
            self._execution_id,
            ReportRequest(
                owner=self._leases.owner,
                lease_seconds=self._leases.lease_seconds,
                outcomes=self._outcomes,
                renew=held,
                release=release or [],
                claim=claim,
                slot=slot,
            ),
        )
        point("report.sent")
        self._slot.answered(answer.slot, hints)
        # Not earlier: leases are renewed while the report is retried, or other workers would repeat the files.
        self._leases.drop(reported)
        refused = {outcome.file_execution_id for outcome in answer.refused}
        self._file_run.reported([o for o in self._outcomes if o.file_execution_id not in refused])
        self._outcomes, self._bytes = [], 0
        self._reported = time.monotonic()
        if self._slot.has_to_yield:
            self._leases.drop([lease.file_execution_id for lease in held])
        self._leases.renewed(held, answer.lost, sent_at)
        for outcome in answer.refused:
            log.warning("report.refused", file_execution_id=outcome.file_execution_id, reason=outcome.reason)
        if answer.stop:
            self._leases.stop()
            self.ended = not answer.open_files
        return self._take(answer.claim, sent_at) if answer.claim else []

    def _take(self, answer: ClaimResponse, sent_at: float) -> list[FileClaim]:
        self._result.skipped_already_completed += answer.already_done
        self._result.skipped_active_duplicate += answer.active_elsewhere
        if answer.stop:
            self._leases.stop()
        self._leases.add(answer.claims, sent_at)
        if answer.claims:
            point("batch.claimed")
        return answer.claims

    def _give_back(self, claim: FileClaim, error: MachineTrouble | RunnerBusy) -> None:
        """Release one file and go on: what this machine has no space for says nothing about the next one. It has
        another attempt, up to a cap; one that needs a place for a long run waits for it."""
        log.warning("batch.gave_back", file_execution_id=claim.file_execution_id, code=error.code, error=error.message)
        self._leases.drop([claim.file_execution_id])
        release = Release(
            file_execution_id=claim.file_execution_id,
            attempt=claim.attempt,
            wait=wait_after(error),
            strike=isinstance(error, ToolKilled),
        )
        self._report(claim_next=False, release=[release])

    def _hand_back(self, claims: list[FileClaim], *, again: bool = True, wait: Wait | None = None) -> None:
        """Release the files that are not done; with ``again`` they are sent as a new batch at once. ``wait`` is why
        they cannot be worked on now."""
        leases = [
            Release(file_execution_id=claim.file_execution_id, attempt=claim.attempt, wait=wait) for claim in claims
        ]
        self._leases.drop([lease.file_execution_id for lease in leases])
        self._report(claim_next=False, release=leases)
        self.unfinished = again
        log.info("batch.handed_back", files=len(leases))

    def _given_up(self) -> list[Release]:
        """The leases of files that a stop leaves undone. The execution ends once all of them are released."""
        if not self._leases.stopped:
            return []
        delivered = {outcome.file_execution_id for outcome in self._outcomes}
        leases = [
            Release(file_execution_id=lease.file_execution_id, attempt=lease.attempt)
            for lease in self._leases.held()
            if lease.file_execution_id not in delivered
        ]
        self._leases.drop([lease.file_execution_id for lease in leases])
        return leases

    def _finish(self) -> BatchExecutionResult:
        self._report(claim_next=False, release=self._given_up())
        self._result.execution_time = round(time.monotonic() - self._started, 4)
        return self._result


def claim_request(batch: FileBatchData, leases: LeaseKeeper, limit: int) -> ClaimRequest:
    """Claim up to ``limit`` files of the batch, or all that it names."""
    return ClaimRequest(
        owner=leases.owner,
        lease_seconds=leases.lease_seconds,
        limit=max(limit, len(batch.files)),
        batch_index=batch.batch_index,
        batch_count=batch.batch_count,
        file_execution_ids=[file_execution_id for file_execution_id, _ in batch.files],
        request_id=new_id(),
    )


def first_claim_request(batch: FileBatchData, leases: LeaseKeeper, limit: int, slot: Slot) -> ClaimRequest:
    """As ``claim_request``, for a batch that has just taken its slot: with the execution's context."""
    request = claim_request(batch, leases, limit)
    request.with_context, request.slot = True, slot.use()
    return request
