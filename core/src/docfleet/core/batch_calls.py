"""Batch calls: the requests and answers between workers and backend about the files of an execution.

Register and start come from the orchestrator; claim, renew and report from a batch; finalize from the callback. The
original has no counterpart. All times are seconds. No answer grows with the number of files of the execution.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from docfleet.core.execution import ExecutionContext
from docfleet.core.files import FileHashData
from docfleet.core.results import FileOutcome
from docfleet.core.status import EmptyReason, ExecutionStatus
from docfleet.core.waiting import Wait
from docfleet.core.wire import Wire

MAX_PAGE_FILES = 5000
MAX_CLAIM_FILES = 1000
MAX_LEASE_SECONDS = 86_400.0

# The backend checks these bounds, with words of its own.
_Counted = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]
_Owner = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1})]
_LeaseSeconds = Annotated[float, msgspec.Meta(extra_json_schema={"exclusiveMinimum": 0, "maximum": MAX_LEASE_SECONDS})]
MAX_EXAMPLES = 5
"""The most paths that are kept for one reason."""


class LeftOut(Wire):
    """Entries of a source that its listing left out: their number by ``SkipReason``, and the paths of the first."""

    counts: dict[str, int] = {}
    examples: dict[str, list[str]] = {}

    def note(self, path: str, reason: str) -> bool:
        """Count one entry; True while it is kept as an example."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) >= MAX_EXAMPLES:
            return False
        examples.append(path)
        return True


class StartRequest(Wire):
    """The source is listed completely, without what is ``left_out``: ``batch_count`` batches are planned. ``slots`` of
    the fleet, as far as the orchestrator knows; 0 when it does not."""

    batch_count: _Counted
    q_file_no_list: list[int] = []
    left_out: LeftOut = msgspec.field(default_factory=LeftOut)
    slots: int = 0


class StartResponse(Wire):
    """``status`` is "started", or "skipped" with a ``reason``: then no batch is to be sent.

    Reasons: ``already_started``, ``no_files``, ``already_final``, and ``nothing_open`` when every row was final from
    the start, so that this call ended the execution. ``batches`` is how many to send now; the backend sends the rest
    when batches of the organization have ended. 0: the execution is parked. None (an older backend): as planned.
    """

    status: Literal["started", "skipped"]
    total_files: int
    reason: str | None = None
    batches: int | None = None


class RegisterRequest(Wire):
    """One page of listed files, in listing order; ``page`` counts from 1. Repeating a page is harmless.

    ``limit`` is ``maxFiles``: how many files the execution may have in all. ``start`` comes with a page that is the
    complete listing, and counts only when every file of it was registered: it was planned for that number.
    ``use_file_history`` replaces the execution's setting; None leaves it.
    """

    page: _Counted
    files: Annotated[list[FileHashData], msgspec.Meta(extra_json_schema={"maxItems": MAX_PAGE_FILES})]
    limit: _Counted | None = None
    start: StartRequest | None = None
    use_file_history: bool | None = None


class RegisterResponse(Wire):
    """``registered`` and ``skipped`` (by ``SkipReason``) of this page; ``total_files`` so far; ``full`` when
    ``limit`` is reached; ``stop`` when the execution is final; ``started`` when the request's ``start`` counted."""

    registered: int
    total_files: int
    skipped: dict[str, int] = {}
    full: bool = False
    stop: bool = False
    started: StartResponse | None = None


class AddRequest(Wire):
    """Files of a batch of another orchestrator, which registered nothing. Repeating it is harmless.

    ``workflow_id`` is the batch's: one that is not the execution's is refused.
    """

    workflow_id: str
    files: list[FileHashData]


class AddResponse(Wire):
    """The ids of the files' rows in the order of the request; "" for a file that was ``skipped`` (by ``SkipReason``).
    ``stop``: the execution has the final ``status`` or is being stopped, and nothing was added."""

    status: ExecutionStatus
    file_execution_ids: list[str] = []
    skipped: dict[str, int] = {}
    stop: bool = False


class SlotUse(Wire):
    """What a batch has used of its slot since it took it.

    ``pages`` are at least one per file. ``contended_seconds`` are those since its last report, if others waited then.
    ``yielded_at`` is the ``SlotAnswer.now`` of its last yield, 0 without one. ``takes_api``: its worker also takes
    batches of API calls, so that giving up the slot helps them. ``hinted``: a hint said that somebody waits.
    """

    seconds: float = 0.0
    pages: int = 0
    contended_seconds: float = 0.0
    yielded_at: float = 0.0
    takes_api: bool = True
    hinted: bool = False


class SlotAnswer(Wire):
    """Whether a batch keeps its slot.

    ``yield_slot``: its unstarted files are released; it is to return the slot, and, with ``send_again``, to send itself
    again. Without, its organization has too many batches open, and the backend sends one later. ``others_wait`` for a
    slot. A quantum is used up after ``quantum_seconds`` or ``quantum_pages``, whichever comes first. ``now`` is the
    database's clock. ``is_api`` tells the batch's queue.
    """

    yield_slot: bool = False
    send_again: bool = True
    others_wait: bool = False
    quantum_seconds: float = 0.0
    quantum_pages: int = 0
    now: float = 0.0
    is_api: bool = False


class ClaimRequest(Wire):
    """Claim up to ``limit`` files, each under a lease of ``lease_seconds``.

    A slice (``batch_index`` of ``batch_count``) takes its own files first, then files of its siblings
    without a lease. With ``file_execution_ids`` only those are considered. ``with_context`` requests the execution's
    context in the same answer. A request that is repeated with its ``request_id`` gets the same files again under
    the same attempts, as long as the owner holds them. ``slot`` comes with the first claim of a batch: it may be
    answered with a yield.
    """

    owner: _Owner
    lease_seconds: _LeaseSeconds
    limit: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": MAX_CLAIM_FILES})]
    batch_index: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})] = 0
    batch_count: _Counted = 1
    file_execution_ids: list[str] = []
    with_context: bool = False
    request_id: str = ""
    slot: SlotUse | None = None


class FileClaim(Wire):
    """One claimed file. ``attempt`` is the fencing token of every later call about it."""

    file_execution_id: str
    attempt: int
    file: FileHashData


class ClaimResponse(Wire):
    """``claims`` to work on now. ``already_done``, ``active_elsewhere`` and ``unknown`` count the explicitly named
    files that are not: finished, under another worker's lease, or no files of the execution. ``stop``: the execution is
    final. ``context``: when it was requested; it holds credentials. A ``slot`` that says to yield comes without claims
    and context."""

    claims: list[FileClaim] = []
    already_done: int = 0
    active_elsewhere: int = 0
    unknown: int = 0
    stop: bool = False
    context: ExecutionContext | None = None
    slot: SlotAnswer | None = None


class Lease(Wire):
    """A file under lease."""

    file_execution_id: str
    attempt: int


class WaitingLease(Lease):
    """A file under lease that is not being worked on at present, and why."""

    wait: Wait


class Release(Lease):
    """A lease to give back. ``wait``: why the file cannot be worked on now; it is not handed out before
    ``wait.retry_seconds`` have passed. ``strike``: the file ended a process."""

    wait: Wait | None = None
    strike: bool = False


class RenewRequest(Wire):
    """Extend leases by ``lease_seconds`` from the database's now. ``waiting``: those of them whose files wait."""

    owner: _Owner
    lease_seconds: _LeaseSeconds
    leases: list[Lease]
    waiting: list[WaitingLease] = []


class RenewResponse(Wire):
    """``lost``: ids whose lease another worker holds. ``stop``: the execution is final."""

    lost: list[str] = []
    stop: bool = False


class ReportRequest(Wire):
    """Outcomes, leases to extend, leases to give back, and, when wanted, the next claim: one round trip.

    With ``slot`` the answer may be a yield: then the leases of ``renew`` are released, and nothing is claimed. All of
    them have to be of files that are not started."""

    owner: _Owner
    lease_seconds: _LeaseSeconds
    outcomes: list[FileOutcome] = []
    renew: list[Lease] = []
    release: list[Release] = []
    claim: ClaimRequest | None = None
    slot: SlotUse | None = None


class RefusedOutcome(Wire):
    """An outcome that was not written: ``already_final`` (the status absorbs it) or ``fenced``."""

    file_execution_id: str
    reason: Literal["already_final", "fenced"]


class ReportResponse(Wire):
    """The result of the report. ``open_files`` is the number of files of the execution that are not final."""

    written: int = 0
    refused: list[RefusedOutcome] = []
    lost: list[str] = []
    claim: ClaimResponse | None = None
    open_files: int = 0
    stop: bool = False
    slot: SlotAnswer | None = None


class LostProcess(Wire):
    """A pool child died while its worker lived. ``owner`` held leases of the execution; ``file_execution_id`` is the
    file in work, None without one; ``orchestration`` when it was listing and registering."""

    owner: _Owner
    execution_id: str
    orchestration: bool = False
    file_execution_id: str | None = None
    told_to_end: bool = False
    """The child was shut down together with its worker: its files lose nothing."""


class LostProcessResponse(Wire):
    """``freed`` leases; ``struck`` when the file, or the execution it orchestrated, was counted a strike."""

    freed: int = 0
    struck: bool = False


class PutOffRequest(Wire):
    """The source cannot be listed now, and the reason does not lie in it: the execution waits for another attempt."""

    wait: Wait


class PutOffResponse(Wire):
    """``stop``: the execution is final or to stop; no attempt follows."""

    stop: bool = False


class FinalizeRequest(Wire):
    """Request the final status. ``error`` is the reason why the source could not be listed: it ends the execution,
    with the files that are registered, unless its batches are sent. ``empty_reason`` is the reason why there is
    nothing to do, and ``left_out`` is what its listing left out. ``batches_ended``: all batches of the execution have
    returned, so none will add files."""

    error: str | None = None
    error_code: str | None = None
    empty_reason: EmptyReason | None = None
    batches_ended: bool = False
    left_out: LeftOut = msgspec.field(default_factory=LeftOut)


class FinalizeResponse(Wire):
    """``finalized`` is true for the call that made the transition. ``open_files`` > 0: too early, no change."""

    execution_id: str
    status: ExecutionStatus
    finalized: bool
    workflow_id: str = ""
    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    stopped_files: int = 0
    skipped_files: int = 0
    open_files: int = 0
