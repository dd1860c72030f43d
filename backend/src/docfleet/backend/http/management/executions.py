"""Management API of executions."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from docfleet.backend.calls import results, retry
from docfleet.backend.calls.options import Include
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import listing, repository, service, why
from docfleet.backend.executions.service import Created, NewExecution
from docfleet.backend.files import listing as file_listing
from docfleet.backend.http.headers import IDEMPOTENCY_HEADER
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.platform.waiting import WaitingCallers
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import NotFound
from docfleet.core.management.executions import (
    ExecutionPage,
    ExecutionRequest,
    ExecutionResults,
    ExecutionState,
    FilePage,
    RetryResult,
    StartedExecution,
    StopOutcome,
    StopResult,
    WaitReasons,
)
from docfleet.core.status import ExecutionStatus

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Wait = Annotated[float, QueryParameter(ge=0, le=60, description="Seconds to wait for the end of what is worked on")]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=IDEMPOTENCY_HEADER,
        description="Repeated with it, a call begins nothing new",
        schema_extra={"minLength": 1, "maxLength": service.MAX_KEY_LENGTH},
    ),
]
_EXCEEDED = ResponseSpec(
    dict[str, Any],
    description="A quota of the organization is used up; try again after `Retry-After` seconds",
    generate_examples=False,
)
_ALSO = {
    200: "The call was repeated: the same id",
    202: "The broker does not answer: with Idempotency-Key, the execution waits and is sent when it is back",
}
REPEATED: dict[int, ResponseSpec] = {
    status: ResponseSpec(StartedExecution, description=text, generate_examples=False) for status, text in _ALSO.items()
} | {429: _EXCEEDED}
RETRY_REPEATED: dict[int, ResponseSpec] = {
    status: ResponseSpec(RetryResult, description=text, generate_examples=False) for status, text in _ALSO.items()
} | {429: _EXCEEDED}
STOP_POLL_SECONDS = 0.5


@post("/workflows/{workflow_id:uuid}/executions", sync_to_thread=True, responses=REPEATED, summary="Run a workflow")
def run_workflow(
    workflow_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    dispatcher: NamedDependency[Dispatcher],
    organization_id: NamedDependency[str],
    data: JSONBody[ExecutionRequest | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[StartedExecution]:
    """Write an execution and send it. With ``Idempotency-Key`` a repeated call answers 200 and the same id, and a
    broker that is away costs nothing: 202, and the execution is sent when it is back."""
    body = data or ExecutionRequest()
    wanted = NewExecution(
        workflow_id=str(workflow_id),
        use_file_history=body.use_file_history,
        tags=body.tags,
        idempotency_key=idempotency_key,
    )
    created = service.create(database, cipher, settings, organization_id, wanted)
    return started(created, is_sent=service.dispatch(database, dispatcher, created))


def started(created: Created, *, is_sent: bool) -> Response[StartedExecution]:
    """The answer to a call that starts an execution."""
    answer = StartedExecution(created.row.id, ExecutionStatus(created.row.status))
    return Response(answer, status_code=_status_of(created, is_sent=is_sent))


def _status_of(created: Created, *, is_sent: bool) -> int:
    if not is_sent:
        return 202
    return 201 if created.new else 200


def _state(database: Database, organization_id: str, execution_id: str) -> ExecutionState:
    with database.reading() as connection:
        return listing.state(connection, organization_id, execution_id)


@get("/executions/{execution_id:uuid}", sync_to_thread=True, summary="Show an execution")
def get_execution(
    execution_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> ExecutionState:
    """Status, counts by status, skipped files by reason, progress, and the executions that are retries of it."""
    return _state(database, organization_id, str(execution_id))


@get("/executions", sync_to_thread=True, summary="List executions")
def list_executions(
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    workflow_id: FromQuery[UUID | None] = None,
    status: FromQuery[ExecutionStatus | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> ExecutionPage:
    """Newest first; ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        page = listing.page(
            connection,
            organization_id,
            workflow_id=None if workflow_id is None else str(workflow_id),
            status=status,
            after=None if after is None else str(after),
            limit=limit,
        )
    return ExecutionPage(page, next=page[-1].id if len(page) == limit else None)


@get("/executions/{execution_id:uuid}/files", sync_to_thread=True, summary="List the files of an execution")
def list_files(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    after: Annotated[int, QueryParameter(ge=0)] = 0,
    limit: Limit = 100,
    status: FromQuery[ExecutionStatus | None] = None,
) -> FilePage:
    """In order of file number; ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        reasons = why.reasons(connection, organization_id, str(execution_id))
        rows = file_listing.page(connection, str(execution_id), after=after, limit=limit, status=status)
        waits = reasons.of_files(rows)
    files = [file_listing.summary(row, waits.get(row.id)) for row in rows]
    return FilePage(files, next=files[-1].file_number if len(files) == limit else None)


@get("/executions/{execution_id:uuid}/why", sync_to_thread=True, summary="Show what an execution waits for")
def get_wait_reasons(
    execution_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> WaitReasons:
    """The present cause why nothing of it is being worked on, numbers of open files by cause, and the first files with
    theirs."""
    with database.reading() as connection:
        return why.reasons(connection, organization_id, str(execution_id)).all()


@get("/executions/{execution_id:uuid}/results", sync_to_thread=True, summary="Show the results of an API's execution")
def get_results(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> ExecutionResults:
    """One item per file in the call's order, with everything that is kept; null while it runs."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(execution_id))
        if row.api_deployment_id is None:
            raise NotFound("the execution has no results here: its workflow writes them to its destination")
        final = repository.is_final(row)
        if final and results.expired(connection, row, settings.execution_result_ttl_seconds):
            raise NotFound("the results have expired")
        include = Include(metadata=True, metrics=True, extracted_text=True)
        items = results.items(connection, row, include) if final else None
    return ExecutionResults(row.id, ExecutionStatus(row.status), items)


@post(
    "/executions/{execution_id:uuid}/retry",
    sync_to_thread=True,
    responses=RETRY_REPEATED,
    summary="Retry the failed files of an execution",
)
def retry_execution(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    dispatcher: NamedDependency[Dispatcher],
    staging: NamedDependency[Staging],
    organization_id: NamedDependency[str],
    idempotency_key: IdempotencyKey = None,
) -> Response[RetryResult]:
    """Run the failed and stopped files of an ended execution again, as a new execution; 409 with the reason when there
    are none. ``skipped`` are those that were left out, by reason. ``listing_complete`` is false when the old one ended
    before its source was listed completely: files that were not listed are not in the new one either. With
    ``Idempotency-Key`` a repeated call answers 200 and the same id."""
    created = retry.retry(database, cipher, settings, staging, organization_id, str(execution_id), idempotency_key)
    is_sent = service.dispatch(database, dispatcher, created)
    with database.reading() as connection:
        old = repository.find(connection, organization_id, str(execution_id))
    answer = RetryResult(
        execution_id=created.row.id,
        status=ExecutionStatus(created.row.status),
        retry_of=old.id,
        total_files=created.row.total_files,
        skipped=created.row.skipped,
        listing_complete=old.dispatched_at is not None,
    )
    return Response(answer, status_code=_status_of(created, is_sent=is_sent))


@post("/executions/{execution_id:uuid}/stop", status_code=200, summary="Stop an execution")
async def stop_execution(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    waiting: NamedDependency[WaitingCallers],
    organization_id: NamedDependency[str],
    wait: Wait = 5.0,
    abandoned: FromQuery[bool] = False,
) -> StopResult:
    """Start nothing more, end the files in work, and answer when it is STOPPED: nothing is delivered from then on.

    ``outcome`` is ``stopped``; ``stopping`` when a worker still processes a file after ``wait`` seconds (repeat the
    call to keep waiting); ``already_ended`` when it was final before. ``abandoned`` waits for no worker: use it only
    when none of its workers is alive.
    """
    identity = str(execution_id)

    async def state() -> ExecutionState:
        return await to_thread.run_sync(_state, database, organization_id, identity)

    async def is_final() -> bool:
        return (await state()).execution.status.is_final

    with waiting.listen(identity) as ended:
        requested = await to_thread.run_sync(
            lambda: service.stop(database, dispatcher, organization_id, identity, abandoned=abandoned)
        )
        if requested and not await is_final():
            await waiting.until_final(ended, wait, is_final, asyncio.Future(), poll_seconds=STOP_POLL_SECONDS)
    after = await state()
    if requested and after.stopping:
        outcome = StopOutcome.STOPPING
    elif requested and after.execution.status is ExecutionStatus.STOPPED:
        outcome = StopOutcome.STOPPED
    else:
        outcome = StopOutcome.ALREADY_ENDED  # before the request, or by its deadline
    return StopResult(**msgspec.structs.asdict(after), outcome=outcome, stopped=outcome is StopOutcome.STOPPED)


router = Router(
    path="/",
    route_handlers=[
        run_workflow,
        get_execution,
        list_executions,
        list_files,
        get_wait_reasons,
        get_results,
        retry_execution,
        stop_execution,
    ],
    tags=["executions"],
)
