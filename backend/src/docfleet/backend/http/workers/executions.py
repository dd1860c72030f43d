"""Executions: the context, and the batch operations."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.executions import (
    additions,
    claims,
    context,
    finalize,
    hand_backs,
    lost_processes,
    open_batches,
    register,
    reports,
    repository,
)
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.files import listing
from docfleet.backend.http.answers import with_defaults
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.batch_calls import (
    AddRequest,
    AddResponse,
    ClaimRequest,
    ClaimResponse,
    FinalizeRequest,
    FinalizeResponse,
    LostProcess,
    LostProcessResponse,
    PutOffRequest,
    PutOffResponse,
    RegisterRequest,
    RegisterResponse,
    RenewRequest,
    RenewResponse,
    ReportRequest,
    ReportResponse,
    StartRequest,
    StartResponse,
)
from docfleet.core.faults import point
from docfleet.tools.registry import ToolRegistry

PREFIX = "/workflow-execution/{execution_id:uuid}"


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
    """The execution's context. ``file_execution=true`` adds at most 100 file rows."""
    flags = lenient_flags(request.url.query)
    with database.reading() as connection:
        answer = with_defaults(context.build(connection, cipher, organization_id, str(execution_id), tool_registry))
        if "file_execution" in flags:
            rows = listing.page(connection, str(execution_id), after=0, limit=100, status=None)
            answer["file_executions"] = [listing.described(row) for row in rows]
    return dict(answer)


@post(f"{PREFIX}/files/register", status_code=200, sync_to_thread=True)
def register_files(
    execution_id: FromPath[UUID],
    data: JSONBody[RegisterRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> RegisterResponse:
    """Write one page of the listing as rows, numbered 1..N, and answer what was left out and why. A page that is the
    complete listing may contain the start."""
    with database.writing() as connection:
        answer = register.register(connection, organization_id, str(execution_id), data, settings)
        if data.start is not None and not answer.stop and answer.total_files == len(data.files) > 0:
            policy = Policy.of(settings)
            answer.started = register.start(connection, organization_id, str(execution_id), data.start, policy)
        return answer


@post(f"{PREFIX}/start", status_code=200, sync_to_thread=True)
def start_execution(
    execution_id: FromPath[UUID],
    data: JSONBody[StartRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> StartResponse:
    """Close the listing; the caller that gets "started" sends the batches."""
    with database.writing() as connection:
        return register.start(connection, organization_id, str(execution_id), data, Policy.of(settings))


@post(f"{PREFIX}/files/add", status_code=200, sync_to_thread=True)
def add_files(
    execution_id: FromPath[UUID],
    data: JSONBody[AddRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> AddResponse:
    """Write the rows of files that a batch of another orchestrator names, and answer their ids."""
    with database.writing() as connection:
        return additions.add(connection, organization_id, str(execution_id), data, settings)


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
    """Take files under a lease; with the execution's context on request."""
    with database.writing() as connection:
        execution = repository.lock_execution(connection, organization_id, str(execution_id))
        answer = claims.claim(connection, execution, data, claims.Caps.of(settings), Policy.of(settings))
        yields = answer.slot is not None and answer.slot.yield_slot
        if not answer.claims and not answer.stop and not yields:
            answer.stop = finalize.end_if_done(connection, execution)
            if not answer.stop:
                open_batches.note_end(connection, execution)
    if data.with_context and not yields:
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
        return hand_backs.renew(connection, organization_id, str(execution_id), data)


@post(f"{PREFIX}/files/report", status_code=200, sync_to_thread=True)
def report_files(
    execution_id: FromPath[UUID],
    data: JSONBody[ReportRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> ReportResponse:
    """Write outcomes, extend or release leases, and claim again."""
    with database.writing() as connection:
        caps, policy = claims.Caps.of(settings), Policy.of(settings)
        answer = reports.report(connection, organization_id, str(execution_id), data, caps, policy)
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


@post(f"{PREFIX}/put-off", status_code=200, sync_to_thread=True)
def put_off_execution(
    execution_id: FromPath[UUID],
    data: JSONBody[PutOffRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> PutOffResponse:
    """The source cannot be listed now: the sweep sends the execution again."""
    with database.writing() as connection:
        return hand_backs.put_off(connection, organization_id, str(execution_id), data, claims.Caps.of(settings))


@post("/workers/lost-process", status_code=200, sync_to_thread=True)
def lost_process(
    data: JSONBody[LostProcess],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> LostProcessResponse:
    """A worker's pool child died: free its leases at once."""
    with database.writing() as connection:
        return lost_processes.record(connection, organization_id, data, settings.max_file_attempts)


handlers = [
    get_context,
    register_files,
    add_files,
    start_execution,
    claim_files,
    renew_files,
    report_files,
    finalize_execution,
    put_off_execution,
    lost_process,
]
