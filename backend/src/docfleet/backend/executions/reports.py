"""Reports of workers: outcomes, leases, and the next claim, in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from docfleet.backend.executions import claims, contention, finalize, hand_backs, open_batches, repository, state
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.files import deliveries, history, results
from docfleet.backend.files.counts import count_open_files
from docfleet.backend.platform.db import Record, chunks, clean
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.usage import repository as usage
from docfleet.core.batch_calls import RefusedOutcome, ReportRequest, ReportResponse
from docfleet.core.errors import InvalidInput
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus

MAX_REPORT_ITEMS = 1000
_REPORTED = (
    select(files)
    .where(files.c.execution_id == bindparam("execution_id"), files.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)


def report(
    connection: Connection,
    organization_id: str,
    execution_id: str,
    request: ReportRequest,
    caps: claims.Caps,
    policy: Policy = Policy(),
) -> ReportResponse:
    """Write a report. A repeated one gets the same answer. Raises ``NotFound``, ``InvalidInput``."""
    claims.check_lease(request.owner, request.lease_seconds)
    if max(len(request.outcomes), len(request.renew), len(request.release)) > MAX_REPORT_ITEMS:
        raise InvalidInput(f"a report holds at most {MAX_REPORT_ITEMS} outcomes and as many leases of each kind")
    if any(not outcome.status.is_final for outcome in request.outcomes):
        raise InvalidInput("an outcome's status has to be COMPLETED, ERROR or STOPPED")
    execution = repository.lock_execution(connection, organization_id, execution_id)
    final = repository.is_final(execution)
    answer = ReportResponse(stop=repository.is_ending(execution))
    pages = _outcomes(connection, execution, request.outcomes, answer)
    answer.lost = hand_backs.release(connection, execution, request.owner, request.release, caps)
    _keep_or_yield(connection, execution, request, answer, policy)
    if request.claim is not None and not (answer.slot is not None and answer.slot.yield_slot):
        answer.claim = claims.claim(connection, execution, request.claim, caps)
    answer.open_files = count_open_files(connection, execution_id)
    if not final and (answer.stop or not answer.open_files) and finalize.end_if_done(connection, execution):
        answer.stop, answer.open_files = True, 0
        if answer.claim is not None:
            answer.claim.stop = True
    elif not final and (request.outcomes or request.release):
        repository.touch(connection, execution_id)
    if answer.claim is not None and not answer.claim.claims and not answer.stop:
        open_batches.note_end(connection, execution)
    usage.count(connection, organization_id, pages=pages)
    contention.charge(connection, execution, request.slot)
    return answer


def _keep_or_yield(
    connection: Connection, execution: Record, request: ReportRequest, answer: ReportResponse, policy: Policy
) -> None:
    """Extend the leases of the batch; or, when it has to give up its slot, release them."""
    if not answer.stop:
        answer.slot = contention.working(connection, execution, request, policy)
    if answer.slot is None or not answer.slot.yield_slot:
        answer.lost += claims.extend(connection, execution.id, request.owner, request.lease_seconds, request.renew)
    else:
        answer.lost += claims.hand_over(connection, execution.id, request.owner, request.renew)
        if not answer.slot.send_again:
            open_batches.take_back(connection, execution)


def _outcomes(connection: Connection, execution: Record, outcomes: list[FileOutcome], answer: ReportResponse) -> int:
    """Write the outcomes that count. Returns the pages of their files."""
    rows: dict[str, Record] = {}
    for part in chunks([outcome.file_execution_id for outcome in outcomes]):
        for row in connection.execute(_REPORTED, {"execution_id": execution.id, "ids": part}):
            rows[row.id] = row
    fresh: dict[str, FileOutcome] = {}
    for outcome in outcomes:
        known = rows.get(outcome.file_execution_id)
        again = fresh.get(outcome.file_execution_id)
        if known is None or known.attempt != outcome.attempt:
            final = known is not None and ExecutionStatus(known.status).is_final
            _refuse(answer, outcome, "already_final" if final else "fenced")
        elif again is not None or ExecutionStatus(known.status).is_final:
            same = again.status.value if again is not None else known.status
            if same == outcome.status.value:
                answer.written += 1
            else:
                _refuse(answer, outcome, "already_final")
        elif known.status == ExecutionStatus.EXECUTING.value:
            fresh[known.id] = outcome
            answer.written += 1
        else:
            _refuse(answer, outcome, "fenced")
    pairs = [(rows[file_id], outcome) for file_id, outcome in fresh.items()]
    state.finish_files(connection, [_row(row, outcome) for row, outcome in pairs])
    results.keep(connection, execution, [outcome for _, outcome in pairs])
    deliveries.record(connection, execution, [outcome for _, outcome in pairs])
    if execution.api_deployment_id is None or execution.use_file_history:
        history.record(connection, [_history(execution, row, outcome) for row, outcome in pairs])
    return usage.record(connection, execution.organization_id, [outcome for _, outcome in pairs])


def _refuse(answer: ReportResponse, outcome: FileOutcome, reason: Any) -> None:
    answer.refused.append(RefusedOutcome(file_execution_id=outcome.file_execution_id, reason=reason))


def _row(row: Record, outcome: FileOutcome) -> dict[str, Any]:
    failed = outcome.status is ExecutionStatus.ERROR
    return {
        "b_id": row.id,
        "b_attempt": outcome.attempt,
        "b_status": outcome.status.value,
        "b_error": clean(outcome.error or ("the worker gave no cause" if failed else None)),
        "b_error_code": clean(outcome.error_code, 50),
        "b_file_hash": clean(outcome.file_hash or row.file_hash),
        "b_mime_type": clean(outcome.mime_type or row.mime_type),
        "b_outputs": outcome.outputs,
        "b_execution_time": outcome.execution_time,
    }


def _history(execution: Record, row: Record, outcome: FileOutcome) -> history.HistoryEntry:
    api = execution.api_deployment_id is not None
    return history.HistoryEntry(
        organization_id=row.organization_id,
        workflow_id=row.workflow_id,
        file_key=row.data["file_key"],
        file_path=None if api else row.data["file_path"],
        content_hash=outcome.file_hash or row.file_hash,
        provider_file_uuid=row.data.get("provider_file_uuid"),
        status=outcome.status.value,
        error=outcome.error,
        result=results.as_text(outcome.result) if api else None,
        metadata=results.as_text(outcome.metadata) if api else None,
    )
