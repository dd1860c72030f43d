"""Every route of the backend."""

from __future__ import annotations

from litestar import Router
from litestar.types import ControllerRouterHandler

from docfleet.backend.http import health, original, workers
from docfleet.backend.http.calls import deployment_api, platform
from docfleet.backend.http.management import (
    connectors,
    deployments,
    executions,
    files,
    keys,
    logs,
    notifications,
    organizations,
    pipelines,
    workflows,
)

INTERNAL_PREFIX = "/internal/v1"
PUBLIC_PREFIX = "/api/v1"
MAX_INTERNAL_REQUEST_BYTES = 64 * 1024 * 1024
"""The most bytes of an internal request: a report may carry the results of many files."""

_internal = Router(
    path=INTERNAL_PREFIX,
    request_max_body_size=MAX_INTERNAL_REQUEST_BYTES,
    tags=["internal"],
    route_handlers=[*workers.handlers, *original.handlers],
)
_public = Router(
    path=PUBLIC_PREFIX,
    route_handlers=[
        *organizations.handlers,
        workflows.router,
        executions.router,
        files.router,
        deployments.router,
        pipelines.router,
        connectors.router,
        keys.router,
        notifications.router,
        logs.router,
    ],
)
handlers: list[ControllerRouterHandler] = [
    *health.handlers,
    _internal,
    _public,
    deployment_api.router,
    platform.router,
]
