"""Errors over HTTP: one shape, ``application/problem+json`` (RFC 9457), with a stable ``code``."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.platform import database_errors
from docfleet.core import errors
from docfleet.core.readable_errors import readable_error

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_DISCONNECTED = "client disconnected prematurely"
"""What Litestar calls a body that ends early. It is no fault of ours, and nobody reads the answer."""

_STATUS: tuple[tuple[type[errors.DocfleetError], int], ...] = (
    (errors.NotAllowed, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.QuotaExceeded, 429),
    (errors.ReviewUnavailable, 422),
    (errors.DependencyError, 503),
    (errors.DestinationError, 502),
    (errors.InvalidInput, 400),
    (errors.ConfigurationError, 400),
    (errors.ToolUnknown, 400),
    (errors.ToolSettingsInvalid, 400),
)
_CODE_OF_STATUS = {
    400: "invalid_input",
    401: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}


def status_of(error: errors.DocfleetError) -> int:
    """The HTTP status of an error of the tree; 500 for a fault of Docfleet."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _problem(request: Request[Any, Any, Any], status: int, code: str, detail: str, **more: Any) -> Response[Any]:
    body = {
        "type": f"urn:docfleet:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.url.path,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response({**body, **more}, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _docfleet(request: Request[Any, Any, Any], error: errors.DocfleetError) -> Response[Any]:
    status = status_of(error)
    if status == 500:
        log.error("request.failed", path=request.url.path, error=error.message, code=error.code)
    more = {"execution_id": error.execution_id} if isinstance(error, errors.DispatchFailed) else {}
    return _problem(request, status, error.code, error.message, **more)


def _exceeded(request: Request[Any, Any, Any], error: errors.QuotaExceeded) -> Response[Any]:
    numbers = {"quota": error.quota, "used": error.used, "limit": error.limit}
    response = _problem(request, status_of(error), error.code, error.message, **numbers)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _refused(request: Request[Any, Any, Any], error: CallRefused) -> Response[Any]:
    more = {} if error.attr is None else {"errors": [f"{error.attr}: {error.message}"]}
    response = _problem(request, error.status, error.code, error.message, **more)
    response.headers.update(error.headers)
    return response


def _validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    faults = error.extra if isinstance(error.extra, list) else []
    texts = [
        f"{item.get('key') or 'body'}: {_readable(request, str(item.get('message')), item.get('key'))}"
        for item in faults
        if isinstance(item, dict)
    ]
    more = {"errors": texts} if texts else {}
    return _problem(request, 400, "invalid_input", "; ".join(texts) or error.detail, **more)


def _readable(request: Request[Any, Any, Any], fault: str, key: str | None) -> str:
    """The fault of ``key``, a way into the body as ``destination.onChange`` or the name of a parameter."""
    body = request.route_handler.parsed_data_field
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key or "")
    if parameter is not None:
        return readable_error(fault, parameter.annotation)
    steps = re.findall(r"[^.\[\]]+|\[\.*\d*\]", key or "")
    return readable_error(fault, None if body is None else body.annotation, steps)


def _of_body(request: Request[Any, Any, Any], error: msgspec.ValidationError) -> str | None:
    """The fault of a field of the body. Litestar reports a field that is named as a dependency (``settings``) as our
    fault."""
    text, _, field = str(error).rpartition(" - at `$.data.")
    field = field.rstrip("`")
    return f"{field}: {_readable(request, text, field)}" if field and text else None


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    status = error.status_code
    if isinstance(error.__cause__, msgspec.ValidationError) and (fault := _of_body(request, error.__cause__)):
        return _problem(request, 400, "invalid_input", fault, errors=[fault])
    if status == 405 and (error.headers or {}).get("allow") == "websocket":
        response = _problem(request, 426, "upgrade_required", "the path is served over a WebSocket: ask for an upgrade")
        response.headers["Upgrade"] = "websocket"
        return response
    code = _CODE_OF_STATUS.get(status, "internal_error" if status >= 500 else "invalid_input")
    if status >= 500 and error.detail == _DISCONNECTED:
        return _problem(request, 400, "disconnected", "the client went away before the body was complete")
    if status >= 500:
        log.error("request.failed", path=request.url.path, exc_info=error)
    detail = "the server failed; its log has the reason" if status >= 500 else error.detail
    if status == 404:
        detail = f"there is no {request.method} {request.url.path}"
    elif status == 413:
        limit = request.route_handler.resolve_request_max_body_size()
        detail = f"the body of the request is too large: it has at most {limit} bytes here"
    response = _problem(request, status, code, detail)
    response.headers.update(error.headers or {})  # Allow, with 405
    return response


def _unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("database.unavailable", path=request.url.path, error=database_errors.cause(error))
    return _problem(request, 503, errors.DependencyError.code, "the database does not answer; try again")


def _conflicting(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.warning("database.conflict", path=request.url.path, error=database_errors.cause(error))
    return _problem(request, 409, errors.Conflict.code, "the same row was written at the same time; try again")


def _out_of_range(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return _problem(request, 400, errors.InvalidInput.code, "a number of the request is too large or too small")


def _too_deep(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    # Only decoding and encoding of JSON recurses here, and the caller chooses its depth.
    log.warning("request.too_deep", path=request.url.path)
    return _problem(request, 400, errors.InvalidInput.code, "the JSON is nested too deeply")


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("request.crashed", path=request.url.path, exc_info=error)
    return _problem(request, 500, "internal_error", "the server failed; its log has the reason")


handlers: ExceptionHandlersMap = {
    CallRefused: _refused,
    errors.QuotaExceeded: _exceeded,
    errors.DocfleetError: _docfleet,
    ValidationException: _validation,
    HTTPException: _http,
    **dict.fromkeys(database_errors.UNAVAILABLE, _unavailable),
    **dict.fromkeys(database_errors.CONFLICTING, _conflicting),
    **dict.fromkeys(database_errors.OUT_OF_RANGE, _out_of_range),
    RecursionError: _too_deep,
    Exception: _unexpected,
}
"""Litestar's map from exception to answer: never a stack trace, never a secret."""
