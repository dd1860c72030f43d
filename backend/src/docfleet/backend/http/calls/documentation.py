"""OpenAPI of the public routes, whose bodies are read as streams and have no signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

from docfleet.backend.calls.options import MAX_FILES, MAX_WAIT_SECONDS
from docfleet.backend.http.calls.form import JSON, MULTIPART
from docfleet.backend.http.headers import IDEMPOTENCY_HEADER


class ErrorDetail(msgspec.Struct):
    """One fault; ``attr`` is the field at fault, if any."""

    code: str
    detail: str
    attr: str | None


class ErrorAnswer(msgspec.Struct):
    """A refused call."""

    type: str
    errors: list[ErrorDetail]


class PlatformError(msgspec.Struct):
    """Why a platform key was refused."""

    message: str


class StateAnswer(msgspec.Struct):
    """An execution that runs, failed or was stopped; or an error."""

    status: str
    message: Any = None


class TriggerAnswer(msgspec.Struct):
    """The execution of a pipeline that was triggered."""

    message: str
    execution_id: str


def _specs(model: type[msgspec.Struct], texts: dict[int, str]) -> dict[int, ResponseSpec]:
    return {code: ResponseSpec(model, description=text, generate_examples=False) for code, text in texts.items()}


_COMMON = {
    400: "Something in the request is wrong",
    401: "The key is wrong",
    403: "There is no key",
    404: "There is no such API",
    503: "Something the backend needs does not answer",
}
EXECUTE = _specs(StateAnswer, {202: "It runs (with compat=false only; the body is that of 200)"}) | _specs(
    ErrorAnswer,
    _COMMON
    | {
        403: "There is no key, or a presigned URL's host refuses (it expired)",
        404: "There is no such API, or nothing behind a presigned URL",
        408: "The client stopped in the middle of the body",
        409: "The Idempotency-Key was used for another call",
        413: "A file or the request is too large",
        415: "The body is of another type",
        422: "The execution failed or could not be sent (the body is that of 200)",
        429: "Too many executions run, or a quota is used up; try again after `Retry-After` seconds",
        502: "A presigned URL's host does not answer",
        504: "A presigned URL took too long",
    },
)
STATUS = {
    **_specs(ErrorAnswer, _COMMON | {410: "The results have expired"}),
    **_specs(StateAnswer, {202: "It runs (with compat=false only)", 406: "The results were read already"}),
    422: ResponseSpec(StateAnswer, description="It runs, failed or was stopped", generate_examples=False),
}
TRIGGER = _specs(
    TriggerAnswer, {202: "The broker does not answer: with Idempotency-Key, the execution waits until it is back"}
) | _specs(
    ErrorAnswer,
    _COMMON
    | {
        409: "The Idempotency-Key was used for another call",
        422: "The pipeline is not active",
        429: "A quota is used up; try again after `Retry-After` seconds",
    },
)
PLATFORM = _specs(
    PlatformError,
    {
        400: "A parameter is wrong",
        401: "The key is wrong",
        403: "Not this key's",
        404: "No page",
        503: "Something the backend needs does not answer",
    },
)

_TEXT = Schema(type=OpenAPIType.STRING)
_FLAG = Schema(type=OpenAPIType.BOOLEAN, default=False)
_FIELDS: dict[str, Schema] = {
    "presigned_urls": Schema(
        type=OpenAPIType.ARRAY,
        items=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.URI, pattern="^https://"),
        min_items=1,
        max_items=MAX_FILES,
        description="on hosts that the server allows, Amazon S3 by default; with the files, at most 32",
    ),
    "timeout": Schema(
        type=OpenAPIType.INTEGER,
        minimum=-1,
        maximum=MAX_WAIT_SECONDS,
        default=-1,
        description="seconds to wait for the results; below 1: do not wait",
    ),
    "include_metadata": _FLAG,
    "include_metrics": _FLAG,
    "include_extracted_text": _FLAG,
    "use_file_history": Schema(
        type=OpenAPIType.BOOLEAN, default=False, description="answer content known from an earlier call without a run"
    ),
    "tags": Schema(type=OpenAPIType.STRING, description="at most one"),
    "llm_profile_id": _TEXT,
    "custom_data": Schema(type=OpenAPIType.OBJECT, description="a JSON object, handed to the tools and back"),
}
_FILES = Schema(
    type=OpenAPIType.ARRAY,
    items=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY),
    min_items=1,
    max_items=MAX_FILES,
)


_COMPAT = Parameter(
    name="compat",
    param_in="query",
    schema=Schema(type=OpenAPIType.BOOLEAN, default=True),
    description="false: 202 while it runs, results may be read again, problem+json errors",
)


_IDEMPOTENCY_KEY = Parameter(
    name=IDEMPOTENCY_HEADER,
    param_in="header",
    schema=_TEXT,
    description="repeated with it, a call begins nothing new, and waits where the broker does not answer",
)


@dataclass
class ExecuteOperation(Operation):
    """The operation of a call, with its body."""

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or []), _COMPAT, _IDEMPOTENCY_KEY]
        self.request_body = RequestBody(
            required=True,
            content={
                MULTIPART: OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.OBJECT,
                        properties={"files": _FILES, **_FIELDS},
                        any_of=[Schema(required=["files"]), Schema(required=["presigned_urls"])],
                    )
                ),
                JSON: OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.OBJECT, properties=dict(_FIELDS), required=["presigned_urls"])
                ),
            },
        )


@dataclass
class TriggerOperation(Operation):
    """The operation of the trigger of a pipeline."""

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or []), _IDEMPOTENCY_KEY]


@dataclass
class StatusOperation(Operation):
    """The operation of a poll, with its query."""

    def __post_init__(self) -> None:
        flags = ("include_metadata", "include_metrics", "include_extracted_text")
        execution_id = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID)
        self.parameters = [
            *(self.parameters or []),
            Parameter(name="execution_id", param_in="query", required=True, schema=execution_id),
            *(Parameter(name=name, param_in="query", schema=_FLAG) for name in flags),
            _COMPAT,
        ]
