"""The two formats of the public routes: the original's by default, and Docfleet's own.

``Accept: application/vnd.docfleet+json`` or ``?compat=false`` requests Docfleet's own format: 202 while an execution
runs, results that may be read again until they expire, and problem+json for errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response

from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.http import problems

MEDIA_TYPE = "application/vnd.docfleet+json"


def wants_native_format(request: Request[Any, Any, Any]) -> bool:
    """Whether the caller requests Docfleet's own format."""
    compat = str(request.query_params.get("compat", "")).lower()
    return MEDIA_TYPE in request.headers.get("Accept", "") or compat in ("false", "0", "no")


def _standard(request: Request[Any, Any, Any], response: Response[Any], error: Exception) -> Response[Any]:
    problem = response.content
    status = response.status_code or 500
    kind = "validation_error" if status == 400 else "client_error" if status < 500 else "server_error"
    attr = error.attr if isinstance(error, CallRefused) else None
    code = error.code if isinstance(error, CallRefused) else problem["code"]
    body = {"type": kind, "errors": [{"code": code, "detail": problem["detail"], "attr": attr}]}
    return Response(body, status_code=status, headers=response.headers)


def _message(request: Request[Any, Any, Any], response: Response[Any], error: Exception) -> Response[Any]:
    return Response({"message": response.content["detail"]}, status_code=response.status_code, headers=response.headers)


def _all(convert: Callable[[Request[Any, Any, Any], Response[Any], Exception], Response[Any]]) -> dict[Any, Any]:
    def wrapped(handler: Callable[..., Response[Any]]) -> Callable[..., Response[Any]]:
        def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
            response = handler(request, error)
            return response if wants_native_format(request) else convert(request, response, error)

        return handle

    return {kind: wrapped(handler) for kind, handler in problems.handlers.items()}


def _by_path(request: Request[Any, Any, Any], response: Response[Any], error: Exception) -> Response[Any]:
    path = request.url.path
    if path.startswith("/deployment/"):
        return _standard(request, response, error)
    return _message(request, response, error) if path.startswith("/api/v1/unstract/") else response


application_handlers = _all(_by_path)
"""Errors without a route, 404 and 405, in the shape of the path's neighbours."""

handlers = _all(_standard)
"""Errors of the API's routes: ``{"type", "errors": [{"code", "detail", "attr"}]}``."""

platform_handlers = _all(_message)
"""Errors of the platform key's routes: ``{"message"}``."""
