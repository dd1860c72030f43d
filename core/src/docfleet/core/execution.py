"""What backend, workers and runner say to each other about an execution: one definition for both sides.

``ExecutionContext`` keeps the keys of Unstract's ``GET v1/workflow-execution/{id}/`` (at 6b916eac)
and adds what an orchestrator or a batch would otherwise ask for one by one.
The batch operations (register, claim, renew, report, finalize) have no counterpart there.
All times are seconds. Answers never grow with the number of files of an execution.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from docfleet.core.files import FileHashData, Tag, Wire
from docfleet.core.results import FileOutcome
from docfleet.core.review import ManualReviewConfig
from docfleet.core.status import EmptyReason, ExecutionStatus

# -- context -----------------------------------------------------------------------------------------------


class ExecutionInfo(Wire):
    """The execution's row. Times are ISO 8601 in UTC. ``retry_of`` is the ended execution whose files it takes up
    again: they are registered already."""

    id: str
    workflow_id: str
    status: ExecutionStatus
    workflow_name: str = ""
    pipeline_id: str | None = None
    task_id: str | None = None
    execution_mode: str = "QUEUE"
    execution_method: str = "DIRECT"
    execution_type: str = "COMPLETE"
    execution_log_id: str = ""
    result_acknowledged: bool = False
    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    stopped_files: int = 0
    skipped_files: int = 0
    error_message: str = ""
    empty_reason: EmptyReason | None = None
    attempts: int = 0
    retry_of: str | None = None
    execution_time: float = 0.0
    created_at: str = ""
    modified_at: str = ""
    tags: list[Tag] = []


class WorkflowDefinition(Wire):
    """The workflow an execution runs. ``workflow_type`` is ETL, TASK, API or DEFAULT."""

    workflow_id: str
    workflow_name: str
    workflow_type: str = "DEFAULT"
    description: str = ""
    is_active: bool = True


class SourceConfig(Wire):
    """Where the files are. ``connector_settings`` holds decrypted credentials: in memory only."""

    type: str = "general_workflow"
    connection_type: str = "FILESYSTEM"
    is_api: bool = False
    source_settings: dict[str, Any] = {}
    connector_id: str | None = None
    connector_name: str | None = None
    connector_settings: dict[str, Any] = {}


class DestinationConfig(Wire):
    """Where results go. ``connector_settings`` holds decrypted credentials: in memory only."""

    connection_type: str = "FILESYSTEM"
    settings: dict[str, Any] = {}
    is_api: bool = False
    use_file_history: bool = True
    connector_id: str | None = None
    connector_name: str | None = None
    connector_settings: dict[str, Any] = {}


class ToolInstance(Wire):
    """One step of the workflow. ``metadata`` is the tool's settings, already validated."""

    id: str
    tool_id: str
    step: int
    version: str = ""
    metadata: dict[str, Any] = {}


class OrganizationContext(Wire):
    """Who it is for. ``settings`` are the organization's overrides, by configuration key."""

    organization_id: str
    organization_name: str = ""
    settings: dict[str, Any] = {}


class ExecutionOptions(Wire):
    """What the caller of an API asked for, as far as it concerns tools and review."""

    llm_profile_id: str | None = None
    custom_data: dict[str, Any] | None = None
    hitl_queue_name: str | None = None
    hitl_packet_id: str | None = None


class ExecutionContext(Wire):
    """Everything a worker needs to know about an execution, in one answer."""

    execution: ExecutionInfo
    workflow_definition: WorkflowDefinition
    source_config: SourceConfig
    destination_config: DestinationConfig
    organization_context: OrganizationContext
    tool_instances: list[ToolInstance] = []
    manual_review: ManualReviewConfig = msgspec.field(default_factory=ManualReviewConfig)
    use_file_history: bool = True
    options: ExecutionOptions = msgspec.field(default_factory=ExecutionOptions)


# -- register ----------------------------------------------------------------------------------------------


class StartRequest(Wire):
    """The source is listed to its end: ``batch_count`` batches are about to be sent."""

    batch_count: int
    q_file_no_list: list[int] = []


class StartResponse(Wire):
    """``status`` is "started", or "skipped" with a ``reason``: then nothing is to be sent.

    Reasons: ``already_started``, ``no_files``, ``already_final``, and ``nothing_open`` when every row was final from
    the start, so that this call ended the execution.
    """

    status: Literal["started", "skipped"]
    total_files: int
    reason: str | None = None


class RegisterRequest(Wire):
    """One page of listed files, in listing order; ``page`` counts from 1. Repeating a page is harmless.

    ``limit`` is ``maxFiles``: how many files the execution may have in all. ``start`` comes with a page that is the
    whole listing, and counts only when every file of it was registered: it was planned for that many.
    """

    page: int
    files: list[FileHashData]
    limit: int | None = None
    start: StartRequest | None = None


class RegisterResponse(Wire):
    """``registered`` and ``skipped`` (by ``SkipReason``) of this page; ``total_files`` so far; ``full`` when
    ``limit`` is reached; ``stop`` when the execution is final; ``started`` when the request's ``start`` counted."""

    registered: int
    total_files: int
    skipped: dict[str, int] = {}
    full: bool = False
    stop: bool = False
    started: StartResponse | None = None


# -- claim, renew, report ----------------------------------------------------------------------------------


class ClaimRequest(Wire):
    """Ask for up to ``limit`` files, each under a lease of ``lease_seconds``.

    A slice (``batch_index`` of ``batch_count``) takes its own files first, then files of its siblings that
    nobody works on. With ``file_execution_ids`` only those are considered. ``with_context`` asks for the execution's
    context in the same answer. A request that is repeated with its ``request_id`` gets the same files again under
    the same attempts, as long as the owner holds them.
    """

    owner: str
    lease_seconds: float
    limit: int
    batch_index: int = 0
    batch_count: int = 1
    file_execution_ids: list[str] = []
    with_context: bool = False
    request_id: str = ""


class FileClaim(Wire):
    """One claimed file. ``attempt`` is the fencing token of every later call about it."""

    file_execution_id: str
    attempt: int
    file: FileHashData


class ClaimResponse(Wire):
    """``claims`` to work on now. ``already_done`` and ``active_elsewhere`` count the explicitly named files
    that are not: finished, or under another worker's lease. ``stop``: the execution is final. ``context``: when it
    was asked for; it holds credentials."""

    claims: list[FileClaim] = []
    already_done: int = 0
    active_elsewhere: int = 0
    stop: bool = False
    context: ExecutionContext | None = None


class Lease(Wire):
    """A file under lease."""

    file_execution_id: str
    attempt: int


class RenewRequest(Wire):
    """Extend leases by ``lease_seconds`` from the database's now."""

    owner: str
    lease_seconds: float
    leases: list[Lease]


class RenewResponse(Wire):
    """``lost``: ids whose lease somebody else holds. ``stop``: the execution is final."""

    lost: list[str] = []
    stop: bool = False


class ReportRequest(Wire):
    """Outcomes, leases to extend, leases to give back, and, when wanted, the next claim: one round trip."""

    owner: str
    lease_seconds: float
    outcomes: list[FileOutcome] = []
    renew: list[Lease] = []
    release: list[Lease] = []
    claim: ClaimRequest | None = None


class RefusedOutcome(Wire):
    """An outcome that was not written: ``already_final`` (the status absorbs it) or ``fenced``."""

    file_execution_id: str
    reason: Literal["already_final", "fenced"]


class ReportResponse(Wire):
    """What became of the report. ``open_files`` is what remains to be done in the execution."""

    written: int = 0
    refused: list[RefusedOutcome] = []
    lost: list[str] = []
    claim: ClaimResponse | None = None
    open_files: int = 0
    stop: bool = False


class LostProcess(Wire):
    """A pool child died while its worker lived. ``owner`` held leases of the execution; ``file_execution_id`` is the
    one file it was at, None when it was at none; ``orchestration`` when it was listing and registering."""

    owner: str
    execution_id: str
    orchestration: bool = False
    file_execution_id: str | None = None
    told_to_end: bool = False
    """It ended with its worker, as it was told to: that costs its files nothing."""


class LostProcessResponse(Wire):
    """``freed`` leases; ``struck`` when the file, or the execution it orchestrated, was counted a strike."""

    freed: int = 0
    struck: bool = False


# -- finalize ----------------------------------------------------------------------------------------------


class FinalizeRequest(Wire):
    """Ask for the final status. ``error`` says why the source could not be listed: it ends the execution, with
    the files that are registered, unless its batches are on their way. ``empty_reason`` says why there is nothing to
    do."""

    error: str | None = None
    error_code: str | None = None
    empty_reason: EmptyReason | None = None


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


# -- runner ------------------------------------------------------------------------------------------------


class RunLimits(Wire):
    """Limits of one tool run. Bytes, seconds, processes."""

    wall_seconds: float = 600.0
    cpu_seconds: int = 600
    memory_bytes: int = 2 * 1024**3
    file_size_bytes: int = 512 * 1024**2
    processes: int = 64


class RunRequest(Wire):
    """Body of ``PUT /v1/runs/{id}``. ``folder`` is the file's execution folder below the storage root,
    with SOURCE, INFILE and METADATA.json; ``step`` counts from 1."""

    tool_id: str
    folder: str
    step: int
    settings: dict[str, Any] = {}
    limits: RunLimits = msgspec.field(default_factory=RunLimits)
    organization_id: str = ""
    execution_id: str = ""
    file_execution_id: str = ""


class RunLine(Wire):
    """What a tool told its users: a LOG line, or an UPDATE with ``state``. ``level`` is the tool's word; ``timestamp``
    is in seconds since the epoch."""

    timestamp: float
    text: str
    level: str = "INFO"
    state: str = ""


class RunState(Wire):
    """Answer of PUT, GET and DELETE. ``phase`` is RUNNING, SUCCEEDED, FAILED or STOPPED; a failed run has
    ``error`` (for people) and ``error_code`` (a code of ``errors``). Times are epoch seconds.
    ``lines`` are the first ones of what the tool told so far."""

    run_id: str
    phase: Literal["RUNNING", "SUCCEEDED", "FAILED", "STOPPED"]
    error: str | None = None
    error_code: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    started_at: float = 0.0
    finished_at: float | None = None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    tool_metadata: dict[str, Any] = {}
    lines: list[RunLine] = []

    @property
    def is_final(self) -> bool:
        """True unless the run still runs."""
        return self.phase != "RUNNING"
