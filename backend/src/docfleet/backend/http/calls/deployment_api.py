"""The public API: files in, results out, in one call or by polling."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from docfleet.backend.calls import callers, options, presigned
from docfleet.backend.calls.callers import Caller
from docfleet.backend.calls.options import CallOptions
from docfleet.backend.calls.refusals import invalid_field
from docfleet.backend.calls.service import ACKNOWLEDGED, Answer, Calls, key_within
from docfleet.backend.calls.staging import Area
from docfleet.backend.executions import service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.http.calls import documentation, form, formats
from docfleet.backend.http.calls.documentation import TriggerAnswer
from docfleet.backend.http.calls.form import SizeLimits
from docfleet.backend.http.headers import IDEMPOTENCY_HEADER
from docfleet.core.errors import InvalidInput
from docfleet.core.ids import new_id, parse_id
from docfleet.core.status import ExecutionStatus

PUBLIC = {"public": True}
_run = anyio.to_thread.run_sync


class ExecutionAnswer(msgspec.Struct):
    """The execution in the answer to its call. ``result`` has one item per file, null while it runs."""

    execution_id: str
    execution_status: ExecutionStatus
    status_api: str | None
    error: str | None
    result: list[dict[str, Any]] | None


class ExecuteAnswer(msgspec.Struct):
    """The answer to a call."""

    message: ExecutionAnswer


class StatusAnswer(msgspec.Struct):
    """The answer to a poll: ``message`` has one item per file, or null while it runs."""

    status: ExecutionStatus
    message: list[dict[str, Any]] | str | None


@post(
    "/api/{org_name:str}/{api_name:str}",
    status_code=200,
    opt=PUBLIC,
    request_max_body_size=None,
    operation_class=documentation.ExecuteOperation,
    responses=documentation.EXECUTE,
    summary="Call an API with files",
)
async def execute(
    org_name: FromPath[str], api_name: FromPath[str], request: Request[Any, Any, Any], calls: NamedDependency[Calls]
) -> Response[ExecuteAnswer]:
    """Run the workflow on the files; with ``timeout`` above 0 wait for the results. Repeated with the same
    ``Idempotency-Key``, a call is answered with the execution of the first one."""
    key = request.headers.get(IDEMPOTENCY_HEADER)
    caller = await _run(calls.admit, org_name, api_name, request.headers.get("Authorization", ""), key)
    execution_id = new_id()
    area = calls.staging.area(caller.organization_id, caller.target.workflow_id, execution_id)
    with ExitStack() as listening:
        ended = listening.enter_context(calls.waiting.listen(execution_id))
        try:
            call_options = await _receive(request, calls, area)
            launched = await _run(calls.launch, caller, execution_id, area, call_options, key)
        except BaseException:
            area.discard()
            raise
        execution_id = launched.execution_id
        if launched.error is not None:
            failed = Answer(launched.status, error=launched.error)
            return _answered(request, calls, caller, execution_id, failed, launched.error)
        is_connected = True
        if call_options.timeout > 0:

            async def is_final() -> bool:
                return await _run(calls.is_final, caller.organization_id, execution_id)

            if launched.repeated:
                ended = listening.enter_context(calls.waiting.listen(execution_id))
            if not (launched.repeated and await is_final()):
                is_connected = await calls.waiting.until_final(
                    ended, call_options.timeout, is_final, _disconnected(request)
                )
    if call_options.timeout <= 0:
        answer = Answer(launched.status)
    else:
        # A caller that disconnected has not read the results, and one with a key may ask for them again.
        once = is_connected and key is None and not formats.wants_native_format(request)
        answer = await _run(lambda: calls.read(caller, execution_id, call_options.include, once=once))
    return _answered(request, calls, caller, execution_id, answer, None)


async def _receive(request: Request[Any, Any, Any], calls: Calls, area: Area) -> CallOptions:
    settings = calls.settings
    limits = SizeLimits(file_mb=settings.api_max_file_size_mb, request_mb=settings.api_max_request_size_mb)
    call_options = options.parse(await form.read(request, area, limits), len(area.files))
    if call_options.presigned_urls:
        await presigned.fetch(call_options.presigned_urls, area, presigned.Rules.of(settings))
    return call_options


async def _disconnected(request: Request[Any, Any, Any]) -> None:
    """Return when the caller disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answered(
    request: Request[Any, Any, Any], calls: Calls, caller: Caller, execution_id: str, answer: Answer, error: str | None
) -> Response[ExecuteAnswer]:
    message = ExecutionAnswer(
        execution_id=execution_id,
        execution_status=answer.status,
        status_api=calls.status_path(caller, execution_id),
        error=error,
        result=answer.items,
    )
    if error is not None:
        status = 422
    elif formats.wants_native_format(request):
        status = 200 if answer.status.is_final else 202
    else:
        status = 422 if answer.status is ExecutionStatus.ERROR else 200
    return Response(ExecuteAnswer(message), status_code=status)


@get(
    "/api/{org_name:str}/{api_name:str}",
    opt=PUBLIC,
    operation_class=documentation.StatusOperation,
    responses=documentation.STATUS,
    summary="Ask for an execution of an API",
)
async def status(
    org_name: FromPath[str], api_name: FromPath[str], request: Request[Any, Any, Any], calls: NamedDependency[Calls]
) -> Response[StatusAnswer]:
    """The results of ``execution_id``, or its status while it runs."""
    authorization = request.headers.get("Authorization", "")
    caller = await _run(callers.deployment, calls.database, org_name, api_name, authorization)
    given = request.query_params.getall("execution_id", [])
    try:
        execution_id = parse_id(given[0] if len(given) == 1 else "", "execution_id")
    except InvalidInput as error:
        raise invalid_field("execution_id", error.message) from error
    is_native = formats.wants_native_format(request)
    include = options.include(request.query_params)
    answer = await _run(lambda: calls.read(caller, execution_id, include, once=not is_native))
    if answer.acknowledged:
        return Response(StatusAnswer(answer.status, ACKNOWLEDGED), status_code=406)
    if is_native:
        code = 200 if answer.status.is_final else 202
    else:
        code = 200 if answer.status is ExecutionStatus.COMPLETED else 422
    return Response(StatusAnswer(answer.status, answer.items), status_code=code)


@post(
    "/pipeline/api/{org_name:str}/{pipeline_name:str}",
    status_code=200,
    opt=PUBLIC,
    operation_class=documentation.TriggerOperation,
    responses=documentation.TRIGGER,
    summary="Trigger a pipeline",
)
async def trigger(
    org_name: FromPath[str],
    pipeline_name: FromPath[str],
    request: Request[Any, Any, Any],
    calls: NamedDependency[Calls],
) -> Response[TriggerAnswer]:
    """Run the workflow of a pipeline, given by its id. Repeated with the same ``Idempotency-Key``, a call is answered
    with the execution of the first one."""
    authorization = request.headers.get("Authorization", "")
    key = request.headers.get(IDEMPOTENCY_HEADER)
    return await _run(_trigger, calls, org_name, pipeline_name, authorization, key)


def _trigger(
    calls: Calls, organization_id: str, pipeline_id: str, authorization: str, key: str | None
) -> Response[TriggerAnswer]:
    caller = callers.pipeline(calls.database, organization_id, pipeline_id, authorization)
    new = NewExecution(
        workflow_id=caller.target.workflow_id,
        pipeline_id=caller.target.id,
        idempotency_key=key_within(caller.target.id, key),
    )
    created = service.create(calls.database, calls.cipher, calls.settings, organization_id, new)
    is_sent = service.dispatch(calls.database, calls.dispatcher, created)
    name = caller.target.pipeline_name
    message = f"Triggered {name}" if is_sent else f"Accepted {name}: the broker does not answer, it runs afterwards"
    return Response(TriggerAnswer(message, created.row.id), status_code=200 if is_sent else 202)


router = Router(
    path="/deployment",
    route_handlers=[execute, status, trigger],
    exception_handlers=formats.handlers,
    tags=["public API"],
)
