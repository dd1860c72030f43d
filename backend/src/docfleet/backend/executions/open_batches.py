"""How many batches of an organization are open at once: a number by its weight.

Without a bound, a hundred workflows of one organization would put hundreds of messages ahead of everybody else's. An
execution for which there is no room is parked: no batch of it is sent. When batches end, the organization's oldest
executions get the batches they lack. Whoever commits the end sends them; the sweep does it where that was lost.
"""

from __future__ import annotations

import msgspec
import structlog
from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from docfleet.backend.executions import contention, fair_share, messages, repository
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.executions.free_files import is_free
from docfleet.backend.platform.db import Database, Record, db_now, emit
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.tables.executions import OPEN_BATCHES, SHORT_OF_BATCHES, executions
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.batch_calls import StartRequest
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.status import ExecutionStatus

log = structlog.get_logger(__name__)

MAX_EXECUTIONS = 50
"""The most executions that get batches when one has ended; the next end goes on."""

_FREE = and_(text(OPEN_FILE), is_free())
# Not those that a worker gave back for a fault of its machine or of the runner: the sweep sends them when it is time.
_WITHOUT_TROUBLE = or_(files.c.status == ExecutionStatus.PENDING.value, files.c.redispatched_at.is_not(None))
_FREE_FILES = select(func.count()).select_from(
    select(files.c.id)
    .where(files.c.execution_id == bindparam("execution_id"), _FREE, _WITHOUT_TROUBLE)
    .limit(bindparam("enough"))
    .subquery()
)
HAS_NEW_FILES = exists().where(
    files.c.execution_id == executions.c.id, _FREE, files.c.status == ExecutionStatus.PENDING.value
)
"""Some files of the execution were never handed out. The sweep itself sends those that were."""
_HAS_FREE_FILES = exists().where(files.c.execution_id == executions.c.id, _FREE, _WITHOUT_TROUBLE)
_SHORT = (
    select(executions.c.id)
    .where(executions.c.organization_id == bindparam("organization_id"), text(SHORT_OF_BATCHES))
    .where(executions.c.stop_requested_at.is_(None), _HAS_FREE_FILES)
    .order_by(executions.c.created_at)
    .limit(MAX_EXECUTIONS)
)
_CALL_WAITS = (
    select(executions.c.id)
    .where(text(OPEN_BATCHES), executions.c.dispatched_at.is_not(None), executions.c.stop_requested_at.is_(None))
    .where(executions.c.api_deployment_id.is_not(None), _HAS_FREE_FILES)
    .limit(1)
)
_SHORT_ORGANIZATIONS = select(executions.c.organization_id).distinct().where(text(SHORT_OF_BATCHES))
_SEND = (
    update(executions)
    .where(executions.c.id == bindparam("execution_id"))
    .values(open_batches=bindparam("batches"), parked_at=None, progress_at=db_now())
)
_ENDED = (
    update(executions)
    .where(executions.c.id == bindparam("execution_id"), executions.c.open_batches > 0)
    .values(open_batches=executions.c.open_batches - 1)
)
_PARKED = (
    update(executions)
    .where(executions.c.id == bindparam("execution_id"), executions.c.open_batches == 0)
    .values(parked_at=db_now())
)
_WORKFLOW_TYPE = select(workflows.c.deployment_type).where(workflows.c.id == bindparam("id"))


class BatchEnded(msgspec.Struct, frozen=True):
    """A batch of a run found no more files; emitted after the commit (``Database.after_commit``)."""

    organization_id: str


class SlotWanted(msgspec.Struct, frozen=True):
    """Batches are sent while others work; emitted after the commit."""

    is_api: bool


def at_start(connection: Connection, execution: Record, request: StartRequest, policy: Policy) -> int:
    """How many of the planned batches are sent now; 0 parks the execution. ``execution`` is locked by the caller.

    Calls of an API are not bounded here, because their callers wait; the limits on concurrent calls bound them.
    """
    if execution.api_deployment_id is not None:
        return request.batch_count
    return min(request.batch_count, _room(connection, execution, policy, request.slots))


def announce(connection: Connection, execution: Record) -> None:
    """Hint at the execution's batches to the workers, if batches of others have slots."""
    if contention.others_work(connection, execution.id):
        emit(connection, SlotWanted(execution.api_deployment_id is not None))


def call_waits(database: Database) -> bool:
    """Whether files of an API call wait for a slot."""
    with database.reading() as connection:
        return connection.execute(_CALL_WAITS).first() is not None


def note_end(connection: Connection, execution: Record) -> None:
    """A batch of the execution ends: another one of its organization may have its place. ``execution`` is locked by the
    caller."""
    connection.execute(_ENDED, {"execution_id": execution.id})
    if execution.api_deployment_id is None:
        emit(connection, BatchEnded(execution.organization_id))


def take_back(connection: Connection, execution: Record) -> None:
    """A batch of the execution yields and does not send itself again: its organization has too many. ``execution`` is
    locked by the caller."""
    connection.execute(_ENDED, {"execution_id": execution.id})
    connection.execute(_PARKED, {"execution_id": execution.id})
    emit(connection, BatchEnded(execution.organization_id))


def more(connection: Connection, execution: Record, workflow_type: str, policy: Policy) -> list[messages.TaskMessage]:
    """The batches to send for an execution that has fewer than planned, as many as there is room for. ``execution`` is
    locked by the caller, who sends them after the commit."""
    if repository.is_ending(execution) or execution.open_batches is None:
        return []
    lacking = execution.batch_count - execution.open_batches
    if lacking <= 0:
        return []
    free = connection.scalar(_FREE_FILES, {"execution_id": execution.id, "enough": lacking}) or 0
    number = min(lacking, free, _room(connection, execution, policy, execution.fleet_slots))
    if number <= 0:
        return []
    batches = execution.open_batches + number
    connection.execute(_SEND, {"execution_id": execution.id, "batches": batches})
    announce(connection, execution)
    log.info("execution.batches_sent", execution_id=execution.id, batches=number)
    return [
        messages.batch(execution, workflow_type, [], index=index, count=batches)
        for index in range(execution.open_batches, batches)
    ]


def fill_all(database: Database, dispatcher: Dispatcher, policy: Policy) -> None:
    """``fill`` for every organization: one that ends leaves room to the others."""
    with database.reading() as connection:
        short = sorted(connection.scalars(_SHORT_ORGANIZATIONS))
    for organization_id in short:
        fill(database, dispatcher, organization_id, policy)


def fill(database: Database, dispatcher: Dispatcher, organization_id: str, policy: Policy) -> None:
    """Send batches of the organization's oldest executions that have fewer than planned, while there is room."""
    with database.reading() as connection:
        short = list(connection.scalars(_SHORT, {"organization_id": organization_id}))
    for execution_id in short:
        with database.writing() as connection:
            execution = repository.lock_free_execution(connection, execution_id)
            if execution is None:
                continue
            kind = connection.scalar(_WORKFLOW_TYPE, {"id": execution.workflow_id})
            to_send = more(connection, execution, kind or "", policy)
        try:
            for message in to_send:
                message.send(dispatcher)
        except BrokerUnavailable as error:
            # The rows say that they are sent: the sweep sends a batch after the dispatch deadline.
            log.warning("execution.batches_not_sent", execution_id=execution_id, error=error.message)
            return


def _room(connection: Connection, execution: Record, policy: Policy, slots: int) -> int:
    """How many more batches its organization may have. Locks its share to the end of the transaction: executions that
    start at once must see each other."""
    organization_id = execution.organization_id
    contention.lock_share(connection, organization_id)
    fleet = contention.open_work(connection, policy, organization_id)
    return max(0, fair_share.room(fleet, organization_id, policy, slots))
