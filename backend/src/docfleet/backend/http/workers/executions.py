"""Internal API of executions: the context, the batch operations, and the sweep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend import housekeeping
from docfleet.backend.calls.places import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import claims, context, finalize, lost, register, reports, repository, service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.executions.sweep import Sweep, SweepResult
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.files import listing
from docfleet.backend.http.answers import whole
from docfleet.backend.http.original import status
from docfleet.backend.http.original.status import StatusUpdate
from docfleet.backend.logs import archive
from docfleet.backend.notifications import repository as notifications
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.batch_calls import (
    ClaimRequest,
    ClaimResponse,
    FinalizeRequest,
    FinalizeResponse,
    LostProcess,
    LostProcessResponse,
    RegisterRequest,
    RegisterResponse,
    RenewRequest,
    RenewResponse,
    ReportRequest,
    ReportResponse,
    StartRequest,
    StartResponse,
)
from docfleet.core.errors import InvalidInput
from docfleet.core.faults import point
from docfleet.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

PREFIX = "/workflow-execution/{execution_id:uuid}"
IDEMPOTENCY_HEADER = "Idempotency-Key"


def lenient_flags(query: str) -> set[str]:
    """The parameters that are true, also in ``a=true?b=true`` as the original's client writes it."""
    return {name for name, value in parse_qsl(query.replace("?", "&")) if value.lower() in ("true", "1")}


@get(PREFIX, sync_to_thread=True, media_type="application/json")
def get_context(
    execution_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    tool_registry: NamedDependency[ToolRegistry],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """E1: the execution's context. ``file_execution=true`` adds at most 100 file rows."""
    flags = lenient_flags(request.url.query)
    with database.reading() as connection:
        answer = whole(context.build(connection, cipher, organization_id, str(execution_id), tool_registry))
        if "file_execution" in flags:
            rows = listing.page(connection, str(execution_id), after=0, limit=100, status=None)
            answer["file_executions"] = [listing.described(row) for row in rows]
    return dict(answer)


@post(f"{PREFIX}/update_status", status_code=200, sync_to_thread=True)
def update_status(
    execution_id: FromPath[UUID],
    data: JSONBody[StatusUpdate],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """E2: change the status along the state machine."""
    with database.writing() as connection:
        return status.update_execution(connection, organization_id, str(execution_id), data)


@post(f"{PREFIX}/files/register", status_code=200, sync_to_thread=True)
def register_files(
    execution_id: FromPath[UUID],
    data: JSONBody[RegisterRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> RegisterResponse:
    """Write one page of the listing as rows, numbered 1..N, and say what was left out and why. A page that is the
    whole listing may bring the start along."""
    with database.writing() as connection:
        answer = register.register(
            connection, organization_id, str(execution_id), data, settings.max_file_execution_count
        )
        if data.start is not None and not answer.stop and answer.total_files == len(data.files) > 0:
            answer.started = register.start(connection, organization_id, str(execution_id), data.start)
        return answer


@post(f"{PREFIX}/start", status_code=200, sync_to_thread=True)
def start_execution(
    execution_id: FromPath[UUID],
    data: JSONBody[StartRequest],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> StartResponse:
    """Close the listing; whoever is told "started" sends the batches."""
    with database.writing() as connection:
        return register.start(connection, organization_id, str(execution_id), data)


@post(f"{PREFIX}/files/claim", status_code=200, sync_to_thread=True)
def claim_files(
    execution_id: FromPath[UUID],
    data: JSONBody[ClaimRequest],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    tool_registry: NamedDependency[ToolRegistry],
    organization_id: NamedDependency[str],
) -> ClaimResponse:
    """Take files under a lease; with the execution's context when it is asked for."""
    with database.writing() as connection:
        execution = repository.lock_execution(connection, organization_id, str(execution_id))
        answer = claims.claim(connection, execution, data, claims.Caps.of(settings))
        if not answer.claims and not answer.stop and finalize.when_done(connection, execution):
            answer.stop = True
    if data.with_context:
        with database.reading() as connection:
            answer.context = context.build(connection, cipher, organization_id, str(execution_id), tool_registry)
    return answer


@post(f"{PREFIX}/files/renew", status_code=200, sync_to_thread=True)
def renew_files(
    execution_id: FromPath[UUID],
    data: JSONBody[RenewRequest],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> RenewResponse:
    """Extend leases."""
    with database.writing() as connection:
        return claims.renew(connection, organization_id, str(execution_id), data)


@post(f"{PREFIX}/files/report", status_code=200, sync_to_thread=True)
def report_files(
    execution_id: FromPath[UUID],
    data: JSONBody[ReportRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> ReportResponse:
    """Write outcomes, keep or give back leases, and claim again."""
    with database.writing() as connection:
        answer = reports.report(connection, organization_id, str(execution_id), data, claims.Caps.of(settings))
        point("report.before_commit")
        return answer


@post(f"{PREFIX}/finalize", status_code=200, sync_to_thread=True)
def finalize_execution(
    execution_id: FromPath[UUID],
    data: JSONBody[FinalizeRequest],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> FinalizeResponse:
    """End the execution if it can end."""
    with database.writing() as connection:
        return finalize.finalize(connection, organization_id, str(execution_id), data)


@post("/workers/lost-process", status_code=200, sync_to_thread=True)
def lost_process(
    data: JSONBody[LostProcess],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> LostProcessResponse:
    """A worker's pool child died: free what it held at once."""
    with database.writing() as connection:
        return lost.record(connection, organization_id, data, settings.max_file_attempts)


@post("/workflow-manager/execution/create", sync_to_thread=True)
def create_execution(
    data: JSONBody[dict[str, Any]],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> Response[dict[str, Any]]:
    """E26: write an execution; the caller sends it. Idempotent by ``Idempotency-Key``."""
    workflow_id = data.get("workflow_id")
    if not isinstance(workflow_id, str) or not workflow_id:
        raise InvalidInput("workflow_id is missing")
    tags = [tag.get("name", "") if isinstance(tag, dict) else str(tag) for tag in data.get("tags") or []]
    wanted = NewExecution(
        workflow_id=workflow_id,
        pipeline_id=data.get("pipeline_id") or None,
        tags=tags,
        scheduled=data.get("scheduled", True) is True,
        mode=str(data.get("mode") or "QUEUE"),
        log_events_id=data.get("log_events_id") or None,
        idempotency_key=request.headers.get(IDEMPOTENCY_HEADER),
    )
    created = service.create(database, cipher, organization_id, wanted)
    body = {
        "execution_id": created.row.id,
        "status": created.row.status,
        "execution_log_id": created.row.execution_log_id,
        "transport": "celery",
    }
    return Response(body, status_code=200)


@post("/sweep", status_code=200, sync_to_thread=True, opt={"organization": False})
def sweep(
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    settings: NamedDependency[BackendSettings],
    slots: NamedDependency[Slots],
    staging: NamedDependency[Staging],
    sweep_metrics: NamedDependency[SweepMetrics],
) -> SweepResult:
    """Recover what was lost, for all organizations."""
    began = time.monotonic()
    one = Sweep(database, dispatcher, settings)
    result = one.run()
    root = settings.execution_storage_root
    chores: list[Callable[[], object]] = [lambda: slots.purge(database), lambda: staging.purge(database)]
    if one.led:
        sweep_metrics.add(result, time.monotonic() - began)
        chores += [
            lambda: housekeeping.forget_results(database, settings.execution_result_ttl_seconds),
            lambda: housekeeping.remove_folders(database, root),
            lambda: housekeeping.forget_steps(root, settings.step_results_seconds),
            lambda: housekeeping.forget_executions(database, settings.execution_retention_days),
            lambda: notifications.forget(database, settings.outbox_retention_days),
            lambda: archive.archive(database, root, settings.log_retention_seconds),
            lambda: archive.forget(root, settings.log_archive_days * housekeeping.SECONDS_A_DAY),
            lambda: housekeeping.forget_ticks(database, settings.schedule_history_days),
        ]
    for chore in chores:
        try:
            chore()
        except Exception:  # the boundary of a chore: one that fails each time must not keep the others from their end
            log.exception("sweep.chore_failed")
    return result


handlers = [
    get_context,
    update_status,
    register_files,
    start_execution,
    claim_files,
    renew_files,
    report_files,
    finalize_execution,
    create_execution,
    lost_process,
    sweep,
]
