"""Creating, sending and stopping executions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from docfleet.backend.executions import finalize, messages, repository
from docfleet.backend.executions.lost_processes import DUE
from docfleet.backend.notifications import outbox
from docfleet.backend.pipelines import repository as pipelines
from docfleet.backend.platform.db import Database, Record, clean, db_now
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.quotas import admission
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions
from docfleet.backend.workflows import repository as workflows
from docfleet.core.errors import BrokerUnavailable, Conflict, DispatchFailed, InvalidInput, ReviewUnavailable
from docfleet.core.files import Tag
from docfleet.core.ids import new_id
from docfleet.core.management.executions import MAX_TAG_LENGTH, MAX_TAGS
from docfleet.core.names import STOP_EXECUTION, WorkflowType
from docfleet.core.review import ManualReviewConfig
from docfleet.core.status import ExecutionStatus
from docfleet.core.waiting import WaitCause, Waiting

log = structlog.get_logger(__name__)

_INSERT = (
    insert(executions).values(created_at=db_now(), modified_at=db_now(), progress_at=db_now()).returning(executions)
)
_BROKER = "the broker; the execution is sent when it is back"
MAX_KEY_LENGTH = 255


class NewExecution(msgspec.Struct, kw_only=True):
    """The execution to create. The last four fields are for APIs.

    ``use_file_history`` None means the workflow's. ``retry_of`` is the ended execution whose files are retried.
    """

    workflow_id: str
    pipeline_id: str | None = None
    use_file_history: bool | None = None
    tags: list[str] = []
    scheduled: bool = False
    mode: str = "QUEUE"
    log_events_id: str | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None
    execution_id: str | None = None
    api_deployment_id: str | None = None
    upload_manifest: list[dict[str, Any]] | None = None
    options: dict[str, Any] | None = None


class Created(msgspec.Struct):
    """The execution's row; ``new`` is False when the idempotency key was known."""

    row: Any
    workflow_type: str
    new: bool


def create(
    database: Database,
    cipher: Cipher,
    settings: BackendSettings,
    organization_id: str,
    request: NewExecution,
    fill: Callable[[Connection, Record], Record] | None = None,
) -> Created:
    """Write the execution as PENDING; committed when this returns. Nothing is sent. ``fill`` writes
    dependent rows in the same transaction, and returns the updated row.

    Raises ``NotFound``, ``InvalidInput``, ``ReviewUnavailable``, and ``Conflict`` for a known idempotency key with
    another request. For a pipeline's, ``NotFound`` and ``Conflict`` too, as ``pipelines.repository.begin``.
    ``QuotaExceeded`` when the organization's quotas have no room for it.
    """
    try:
        with database.writing() as connection:
            return write(connection, cipher, settings, organization_id, request, fill)
    except IntegrityError:
        if request.idempotency_key is None:
            raise
    # Another call with this key was faster by a moment: this one is its repeat.
    with database.writing() as connection:
        return write(connection, cipher, settings, organization_id, request, fill)


def write(
    connection: Connection,
    cipher: Cipher,
    settings: BackendSettings,
    organization_id: str,
    request: NewExecution,
    fill: Callable[[Connection, Record], Record] | None = None,
) -> Created:
    """As ``create``, within the caller's transaction: the only place that creates executions."""
    key = request.idempotency_key
    if key is not None and not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidInput(f"Idempotency-Key has to have 1 to {MAX_KEY_LENGTH} characters")
    if len(request.tags) > MAX_TAGS or any(not 1 <= len(tag) <= MAX_TAG_LENGTH for tag in request.tags):
        raise InvalidInput(f"at most {MAX_TAGS} tags, each of 1 to {MAX_TAG_LENGTH} characters")
    workflow = workflows.find(connection, organization_id, request.workflow_id)
    if (known := repeated(connection, cipher, organization_id, request)) is not None:
        return known
    _refuse_review(msgspec.convert(workflow.manual_review, ManualReviewConfig))
    _refuse_without_files(workflow, request)
    execution_id = request.execution_id or new_id()
    digest = None if key is None else _digest(cipher, request)
    row = connection.execute(_INSERT, _row(organization_id, workflow, execution_id, request, digest)).one()
    if fill is not None:
        row = fill(connection, row)
    # Late, as it locks the pipeline's row: the end of an execution locks that row late, too.
    pipelines.note_start(connection, row)
    outbox.write_started(connection, row)
    is_listed_later = request.upload_manifest is None and request.retry_of is None
    admission.admit(connection, settings, row, None if is_listed_later else row.reserved_files)
    log.info("execution.created", execution_id=execution_id, workflow_id=request.workflow_id)
    return Created(row=row, workflow_type=workflow.deployment_type, new=True)


def repeated(connection: Connection, cipher: Cipher, organization_id: str, request: NewExecution) -> Created | None:
    """The execution that a request with this idempotency key has begun; None when there is none.

    Raises ``Conflict`` when that request was another one.
    """
    row = of_key(connection, organization_id, request.idempotency_key)
    if row is None:
        return None
    if row.idempotency_digest != _digest(cipher, request):
        raise Conflict("this Idempotency-Key was used for another request; send a new key")
    workflow = workflows.find(connection, organization_id, row.workflow_id)
    return Created(row=row, workflow_type=workflow.deployment_type, new=False)


def of_key(connection: Connection, organization_id: str, key: str | None) -> Record | None:
    """The execution of an idempotency key."""
    if key is None:
        return None
    mine = (executions.c.organization_id == organization_id, executions.c.idempotency_key == key)
    return connection.execute(select(executions).where(*mine)).one_or_none()


def _digest(cipher: Cipher, request: NewExecution) -> str:
    """What a repeat has in common with the first call: not the ids and paths that each call gets anew, and of its files
    the names and the content."""
    files = request.upload_manifest
    same = None if files is None else [{name: file[name] for name in ("name", "file_hash")} for file in files]
    return cipher.digest({**msgspec.to_builtins(request), "execution_id": None, "upload_manifest": same})


def _row(
    organization_id: str, workflow: Record, execution_id: str, request: NewExecution, digest: str | None
) -> dict[str, Any]:
    history = workflow.use_file_history if request.use_file_history is None else request.use_file_history
    return {
        "id": execution_id,
        "organization_id": organization_id,
        "workflow_id": workflow.id,
        "pipeline_id": request.pipeline_id,
        "status": ExecutionStatus.PENDING.value,
        "execution_mode": clean(request.mode, 20),
        "execution_method": "SCHEDULED" if request.scheduled else "DIRECT",
        "execution_type": "COMPLETE",
        "execution_log_id": clean(request.log_events_id or request.pipeline_id or "", 255),
        "result_acknowledged": False,
        "use_file_history": history,
        "tags": [Tag(id=new_id(), name=clean(name) or "").to_dict() for name in request.tags],
        "total_files": 0,
        "successful_files": 0,
        "failed_files": 0,
        "stopped_files": 0,
        "skipped": {},
        "attempts": 0,
        "batch_count": 0,
        "q_file_no_list": [],
        "error_message": "",
        "execution_time": 0.0,
        "idempotency_key": clean(request.idempotency_key),
        "idempotency_digest": digest,
        "api_deployment_id": request.api_deployment_id,
        "upload_manifest": request.upload_manifest,
        "reserved_files": sum(
            item["rejection"] is None and item["same_as"] is None for item in request.upload_manifest or []
        ),
        "options": request.options or None,
        "retry_of": request.retry_of,
    }


def _refuse_without_files(workflow: Record, request: NewExecution) -> None:
    if workflow.deployment_type == WorkflowType.API and request.upload_manifest is None and request.retry_of is None:
        raise InvalidInput("the workflow's source is an API: publish it as a deployment and send files to its URL")


def _refuse_review(review: ManualReviewConfig) -> None:
    if review.review_required or review.review_percentage > 0 or review.rule_json:
        raise ReviewUnavailable(
            "the workflow requires manual review, but no review queue is configured; "
            "take manual_review out of the workflow, or set up a review queue first"
        )


def dispatch(database: Database, dispatcher: Dispatcher, created: Created) -> bool:
    """Send an execution to its orchestrator, unless it was sent before.

    False when the broker does not take it. With an idempotency key it stays PENDING then, because the caller means this
    execution however often it calls: the sweep sends it when the broker is back, or a repeat does. Without a key it
    ends in ERROR, because a repeat would be another execution: raises ``DispatchFailed``.

    A process that dies before this leaves the row PENDING, and the sweep sends it.
    """
    row = created.row
    if not created.new and not is_unsent(row):
        return True
    try:
        messages.orchestrate(row, created.workflow_type).send(dispatcher)
    except BrokerUnavailable as error:
        return _not_sent(database, row, error)
    if not created.new:
        with database.writing() as connection:
            due = (executions.c.id == row.id, executions.c.redispatched_at == DUE)
            connection.execute(update(executions).where(*due).values(redispatched_at=db_now(), waiting=None))
    return True


def is_unsent(row: Record) -> bool:
    """Whether the broker has not taken the execution yet: it is due, and waits for something."""
    is_due = row.redispatched_at == DUE and row.waiting is not None
    return is_due and row.status == ExecutionStatus.PENDING.value and not repository.is_ending(row)


def _not_sent(database: Database, execution: Record, error: BrokerUnavailable) -> bool:
    cause = f"could not be dispatched: {error.message}"
    with database.writing() as connection:
        row = repository.lock_execution(connection, execution.organization_id, execution.id)
        if row.status != ExecutionStatus.PENDING.value:
            # The message arrived and only its confirmation was lost: a worker has taken it.
            log.warning("execution.sent_unconfirmed", execution_id=row.id, error=error.message)
            return True
        if row.idempotency_key is not None:
            since = row.waiting["since"] if is_unsent(row) else float(connection.scalar(select(db_now())) or 0.0)
            waiting = Waiting(WaitCause.DEPENDENCY_AWAY, since=since, detail=_BROKER).to_dict()
            due = update(executions).where(executions.c.id == row.id)
            connection.execute(due.values(redispatched_at=DUE, waiting=waiting))
            log.warning("execution.not_sent", execution_id=row.id, error=error.message)
            return False
        finalize.fail(connection, row, cause, error.code)
    raise DispatchFailed(cause, execution.id) from error


def send(dispatcher: Dispatcher, created: Created) -> bool:
    """Send a new execution without a waiting caller; one that cannot be sent stays PENDING, and the sweep sends it."""
    try:
        messages.orchestrate(created.row, created.workflow_type).send(dispatcher)
    except BrokerUnavailable as error:
        log.warning("execution.not_sent", execution_id=created.row.id, error=error.message)
        return False
    return True


def stop(
    database: Database, dispatcher: Dispatcher, organization_id: str, execution_id: str, *, abandoned: bool = False
) -> bool:
    """Request the execution to stop; False when it was final already.

    The workers are notified at once. It is STOPPED once no worker holds a file of it. ``abandoned``: none of its
    workers is alive, so it does not wait for one.

    Raises ``NotFound``.
    """
    with database.writing() as connection:
        row = repository.lock_execution(connection, organization_id, execution_id)
        is_requested = finalize.request_stop(connection, row, abandoned=abandoned)
        working = is_requested and not repository.is_final(repository.find(connection, organization_id, execution_id))
    if is_requested:
        log.info("execution.stop_requested", execution_id=execution_id, working=working)
    if working:
        dispatcher.broadcast(STOP_EXECUTION, {"execution_id": execution_id})
    return is_requested
