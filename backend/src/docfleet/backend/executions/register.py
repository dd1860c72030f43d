"""Registering files: one page of a listing becomes rows, in one transaction."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection, Float, bindparam, case, insert, select, text, update

from docfleet.backend.executions import finalize, left_out, open_batches, repository, state
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.files import history, results
from docfleet.backend.files.counts import count_open_files
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Record, chunks, clean, db_now, upsert
from docfleet.backend.quotas import admission
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions, registered_pages
from docfleet.backend.tables.files import OPEN_FILE, identity
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.backend.usage import repository as usage
from docfleet.core.batch_calls import MAX_PAGE_FILES, RegisterRequest, RegisterResponse, StartRequest, StartResponse
from docfleet.core.errors import AlreadyFinal, InvalidInput, UnsafePath
from docfleet.core.files import FileHashData
from docfleet.core.ids import new_id
from docfleet.core.names import WorkflowType
from docfleet.core.status import ExecutionStatus, SkipReason

MAX_PATH_LENGTH = 4096
MAX_NAME_LENGTH = 1024
MAX_SLOTS = 1_000_000

_LOCK_WORKFLOW = select(workflows).where(workflows.c.id == bindparam("workflow_id")).with_for_update(key_share=True)
_PAGE = select(registered_pages).where(
    registered_pages.c.execution_id == bindparam("execution_id"), registered_pages.c.page == bindparam("number")
)
_NOW = select(db_now())
_INSERT_FILES = insert(files)
_REGISTERED = (
    update(executions)
    .where(executions.c.id == bindparam("execution_id"))
    .values(
        total_files=bindparam("total"),
        skipped=bindparam("counts", type_=executions.c.skipped.type),
        reserved_files=bindparam("reserved"),
        waiting=None,  # a listing that was put off goes on
        skipped_examples=bindparam("examples", type_=executions.c.skipped_examples.type),
        progress_at=db_now(),
        modified_at=db_now(),
    )
)
_PRESENT = select(files.c.identity).where(
    files.c.execution_id == bindparam("execution_id"), files.c.identity.in_(bindparam("identities", expanding=True))
)
_STARTED = (
    update(executions)
    .where(executions.c.id == bindparam("execution_id"))
    .values(
        batch_count=bindparam("batches"),
        open_batches=bindparam("open"),
        fleet_slots=bindparam("slots"),
        parked_at=case((bindparam("open") == 0, db_now()), else_=bindparam("unparked", None, type_=Float)),
        q_file_no_list=bindparam("reviewed", type_=executions.c.q_file_no_list.type),
        reserved_files=0,
        dispatched_at=db_now(),
        progress_at=db_now(),
        modified_at=db_now(),
    )
)


def register(
    connection: Connection,
    organization_id: str,
    execution_id: str,
    request: RegisterRequest,
    settings: BackendSettings,
) -> RegisterResponse:
    """Write one page.

    A repeated page gets the first answer and writes nothing. When it holds other files than the first time (the source
    changed between two listings), the new files are added. Raises ``NotFound``, ``InvalidInput``.
    """
    if request.page < 1 or len(request.files) > MAX_PAGE_FILES or (request.limit is not None and request.limit < 1):
        raise InvalidInput(f"pages count from 1, hold at most {MAX_PAGE_FILES} files, and a limit is at least 1")
    execution = repository.find(connection, organization_id, execution_id)
    workflow = lock_workflow(connection, execution.workflow_id)
    execution = repository.lock_execution(connection, organization_id, execution_id)
    final = repository.is_ending(execution)
    known = connection.execute(_PAGE, {"execution_id": execution_id, "number": request.page}).one_or_none()
    digest = _digest(request.files)
    if known is not None and known.digest == digest:
        answer = RegisterResponse.from_dict(known.answer)
        answer.stop = final
        return answer
    if final or repository.is_listed(execution) or execution.retry_of is not None:
        # Batches are on their way, or the files are those of another execution: the listing is closed.
        return RegisterResponse(registered=0, total_files=execution.total_files, full=not final, stop=final)
    execution = _with_history(connection, execution, request.use_file_history)
    state.move_execution(connection, execution_id, ExecutionStatus.EXECUTING)
    before = None if known is None else RegisterResponse.from_dict(known.answer)
    answer, processed = _write(connection, execution, workflow, request, settings, before)
    values = {"digest": digest, "answer": answer.to_dict()}
    statement = upsert(connection, registered_pages).values(execution_id=execution_id, page=request.page, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["execution_id", "page"], set_=values))
    usage.count(connection, organization_id, files=processed)
    return answer


def _with_history(connection: Connection, execution: Record, requested: bool | None) -> Record:
    """The execution with the setting of the message that runs it, if that has one."""
    if requested is None or requested == execution.use_file_history:
        return execution
    own = executions.c.id == execution.id
    connection.execute(update(executions).where(own).values(use_file_history=requested))
    return connection.execute(select(executions).where(own)).one()


def register_one(
    connection: Connection, organization_id: str, execution_id: str, file: FileHashData, settings: BackendSettings
) -> Record:
    """The row of this file in the execution, written when there is none. Raises ``NotFound``, ``AlreadyFinal``,
    ``QuotaExceeded``."""
    execution = repository.lock_execution(connection, organization_id, execution_id)
    own = (files.c.execution_id == execution_id, files.c.identity == identity(file.file_key, file.file_path))
    row = connection.execute(select(files).where(*own)).one_or_none()
    if row is not None:
        return row
    if repository.is_ending(execution):
        raise AlreadyFinal("the execution is final or being stopped: it accepts no more files")
    number, processed = execution.total_files + 1, rejection_of(file) is None
    if processed and not execution.reserved_files:
        admission.admit_file(connection, settings, organization_id)
    connection.execute(insert(files).values(row_of(execution, file, number, connection.scalar(_NOW))))
    reserved = max(0, execution.reserved_files - processed)
    values = {"total_files": number, "reserved_files": reserved, "progress_at": db_now()}
    connection.execute(update(executions).where(executions.c.id == execution_id).values(**values))
    row = connection.execute(select(files).where(*own)).one()
    usage.count(connection, organization_id, files=int(processed))
    return row


def _digest(page: list[FileHashData]) -> str:
    names = "".join(identity(file.file_key, file.file_path) for file in page)
    return hashlib.sha256(names.encode()).hexdigest()


def lock_workflow(connection: Connection, workflow_id: str) -> Record:
    """The workflow's row, locked: two executions of one workflow register one after the other, so that neither takes
    a file of the other."""
    return connection.execute(_LOCK_WORKFLOW, {"workflow_id": workflow_id}).one()


def _write(
    connection: Connection,
    execution: Record,
    workflow: Record,
    request: RegisterRequest,
    settings: BackendSettings,
    before: RegisterResponse | None,
) -> tuple[RegisterResponse, int]:
    """The answer, and how many of the registered files are to be processed."""
    page = request.files
    # Read before the history: a file that another execution finishes in between is then in one of the two.
    active = elsewhere(connection, execution, page)
    past: dict[int, Record] = {}
    if execution.use_file_history:
        history.delete_expired(connection, execution.workflow_id)
        past = history.lookup(connection, execution.workflow_id, [(file.file_key, file.file_path) for file in page])
    skips = _skips(connection, execution, workflow, page, past, active, settings.max_file_execution_count)
    room = request.limit - execution.total_files if request.limit is not None else len(request.files)
    is_admitted = execution.api_deployment_id is not None or None not in skips
    quota = math.inf if is_admitted else admission.room(connection, settings, execution.organization_id)
    processed = 0
    skipped: dict[str, int] = {}
    examples: dict[str, list[str]] = {}
    accepted: list[tuple[FileHashData, Record | None]] = []
    for position, (file, reason) in enumerate(zip(page, skips, strict=True)):
        known = past.get(position)
        answer = known if known is not None and _answers(workflow, file, known) else None
        is_processed = answer is None and rejection_of(file) is None
        if reason is None and len(accepted) >= room:
            reason = SkipReason.OVER_LIMIT
        elif reason is None and is_processed and processed >= quota:
            reason = SkipReason.OVER_QUOTA
        if reason is None:
            accepted.append((file, answer))
            processed += is_processed
        elif before is None or reason is not SkipReason.DUPLICATE:
            skipped[reason.value] = skipped.get(reason.value, 0) + 1
            examples.setdefault(reason.value, []).append(file.file_path)
    total = execution.total_files + len(accepted)
    if accepted:
        now = connection.scalar(_NOW)
        first = execution.total_files + 1
        rows = [row_of(execution, file, number, now) for number, (file, _) in enumerate(accepted, start=first)]
        answered = [(row, known) for row, (_, known) in zip(rows, accepted, strict=True) if known is not None]
        for row, _ in answered:
            row.update(status=ExecutionStatus.COMPLETED.value, finished_at=now)
        connection.execute(_INSERT_FILES, rows)
        results.copy(connection, execution, answered)
    merged = Counter(execution.skipped) + Counter(skipped)
    merged.subtract({} if before is None else before.skipped)
    reserved = max(0, execution.reserved_files - sum(rejection_of(file) is None for file, _ in accepted))
    values = {
        "execution_id": execution.id,
        "total": total,
        "counts": dict(+merged),
        "reserved": reserved,
        "examples": left_out.with_examples(execution.skipped_examples, examples),
    }
    connection.execute(_REGISTERED, values)
    full = request.limit is not None and total >= request.limit
    return RegisterResponse(registered=len(accepted), total_files=total, skipped=skipped, full=full), processed


def _answers(workflow: Record, file: FileHashData, known: Record) -> bool:
    """Whether the result of an earlier run is returned for this file. Only callers of an API get it."""
    done = known.status == ExecutionStatus.COMPLETED.value and known.result is not None
    return done and workflow.deployment_type == WorkflowType.API and not file.rejection


def row_of(execution: Record, file: FileHashData, number: int, now: Any) -> dict[str, Any]:
    """The new row of one file; the row of a rejected file is final at once."""
    file = msgspec.structs.replace(file, file_number=number)
    rejection = rejection_of(file)
    return {
        "id": new_id(),
        "organization_id": execution.organization_id,
        "workflow_id": execution.workflow_id,
        "execution_id": execution.id,
        "file_number": number,
        "identity": identity(file.file_key, file.file_path),
        "file_key": clean(file.file_key),
        "file_name": clean(file.file_name, MAX_NAME_LENGTH),
        "file_path": clean(file.file_path, MAX_PATH_LENGTH),
        "file_size": min(file.file_size, 2**63 - 1),
        "file_hash": clean(file.file_hash),
        "mime_type": clean(file.mime_type),
        "data": file.to_dict(),
        "status": (ExecutionStatus.ERROR if rejection else ExecutionStatus.PENDING).value,
        "attempt": 0,
        "strikes": 0,
        "lease_until": 0.0,
        "error": clean(rejection),
        "error_code": (InvalidInput.code if file.rejection else UnsafePath.code) if rejection else None,
        "execution_time": 0.0,
        "created_at": now,
        "modified_at": now,
        "finished_at": now if rejection else None,
    }


def rejection_of(file: FileHashData) -> str | None:
    """Why the file is not processed."""
    return file.rejection or _unfit(file)


def _unfit(file: FileHashData) -> str | None:
    if len(file.file_path) > MAX_PATH_LENGTH:
        return f"the path is longer than {MAX_PATH_LENGTH} characters; move the file to a shorter one"
    if len(file.file_name) > MAX_NAME_LENGTH:
        return f"the name is longer than {MAX_NAME_LENGTH} characters; give the file a shorter one"
    return None


def _skips(
    connection: Connection,
    execution: Record,
    workflow: Record,
    page: list[FileHashData],
    past: dict[int, Record],
    active: set[str],
    default_limit: int,
) -> list[SkipReason | None]:
    """The reason why each file of the page is left out, or None."""
    identities = [identity(file.file_key, file.file_path) for file in page]
    api = execution.api_deployment_id is not None
    present = _present(connection, execution, identities)
    limit = workflow.max_file_execution_count
    if past and not limit:
        overrides = organizations.settings(connection, execution.organization_id)
        limit = overrides.get("MAX_FILE_EXECUTION_COUNT", default_limit)
    reasons: list[SkipReason | None] = []
    for position, key in enumerate(identities):
        reason = None
        if key in present:
            reason = SkipReason.DUPLICATE
        elif page[position].rejection or api:
            # A rejected file ends with its reason, whatever its history; a caller gets one item per file.
            pass
        elif position in past and past[position].status == ExecutionStatus.COMPLETED.value:
            reason = SkipReason.ALREADY_PROCESSED
        elif position in past and past[position].execution_count >= limit:
            reason = SkipReason.ATTEMPTS_EXHAUSTED
        elif key in active:
            reason = SkipReason.ACTIVE_ELSEWHERE
        if reason is None:
            present.add(key)
        reasons.append(reason)
    return reasons


def elsewhere(connection: Connection, execution: Record, page: list[FileHashData]) -> set[str]:
    """Identities of the page that other executions work on. Files of a call belong to one execution."""
    if execution.api_deployment_id is not None:
        return set()
    return active_elsewhere(connection, execution, [identity(file.file_key, file.file_path) for file in page])


def _present(connection: Connection, execution: Record, identities: list[str]) -> set[str]:
    present: set[str] = set()
    if execution.total_files:
        for part in chunks(identities):
            present.update(connection.scalars(_PRESENT, {"execution_id": execution.id, "identities": part}))
    return present


def active_elsewhere(connection: Connection, execution: Record, identities: list[str]) -> set[str]:
    """Which of these files another execution of the workflow is about to process."""
    candidates = (
        select(files.c.identity, files.c.execution_id)
        .where(files.c.workflow_id == execution.workflow_id, text(OPEN_FILE))
        .where(files.c.execution_id != execution.id)
    )
    taken: set[str] = set()
    for part in chunks(identities):
        active = candidates.where(files.c.identity.in_(part)).subquery()
        running = executions.c.status.in_((ExecutionStatus.PENDING.value, ExecutionStatus.EXECUTING.value))
        taken.update(
            connection.scalars(
                select(active.c.identity).join(executions, executions.c.id == active.c.execution_id).where(running)
            )
        )
    return taken


def start(
    connection: Connection,
    organization_id: str,
    execution_id: str,
    request: StartRequest,
    policy: Policy = Policy(),
) -> StartResponse:
    """Close the listing: from now on batches work on the files. Happens once. Raises ``NotFound``, ``InvalidInput``."""
    if request.batch_count < 1:
        raise InvalidInput("batch_count has to be at least 1")
    execution = repository.lock_execution(connection, organization_id, execution_id)
    reason = None
    if repository.is_ending(execution):
        reason = "already_final"
    elif repository.is_listed(execution):
        reason = "already_started"
    elif execution.total_files == 0:
        reason = "no_files"
    if reason is not None:
        return StartResponse(status="skipped", total_files=execution.total_files, reason=reason)
    if execution.status == ExecutionStatus.PENDING.value:  # a retry: its rows came with it
        state.move_execution(connection, execution_id, ExecutionStatus.EXECUTING)
    batches = open_batches.at_start(connection, execution, request, policy)
    connection.execute(
        _STARTED,
        {
            "execution_id": execution_id,
            "batches": request.batch_count,
            "open": batches,
            "slots": min(max(request.slots, 0), MAX_SLOTS),
            "reviewed": request.q_file_no_list,
        },
    )
    left_out.note(connection, execution, request.left_out)
    if execution.retry_of is not None:
        # Its files were registered by its creation, which reserved them.
        usage.count(connection, organization_id, files=execution.reserved_files)
    if execution.api_deployment_id is not None and not count_open_files(connection, execution_id):
        # Every file was final when it was registered, refused or answered from the history: the caller need
        # not wait for a batch that has nothing to do.
        finalize.end_if_done(connection, repository.find(connection, organization_id, execution_id))
        return StartResponse(status="skipped", total_files=execution.total_files, reason="nothing_open")
    if batches:
        open_batches.announce(connection, execution)
    return StartResponse(status="started", total_files=execution.total_files, batches=batches)
