"""Every route of the backend."""

from __future__ import annotations

from litestar import Router
from litestar.types import ControllerRouterHandler

from docfleet.backend.http import health
from docfleet.backend.http.calls import deployment_api as deployments_public
from docfleet.backend.http.calls import platform
from docfleet.backend.http.management import deployments
from docfleet.backend.http.management import executions as executions_public
from docfleet.backend.http.management import files as files_public
from docfleet.backend.http.management import keys as keys_public
from docfleet.backend.http.management import logs as logs_public
from docfleet.backend.http.management import notifications as notifications_public
from docfleet.backend.http.management import organizations as organizations_public
from docfleet.backend.http.management import pipelines as pipelines_public
from docfleet.backend.http.management import workflows as workflows_public
from docfleet.backend.http.original import files as files_internal
from docfleet.backend.http.original import history
from docfleet.backend.http.original import pipelines as pipelines_internal
from docfleet.backend.http.original import usage as usage_internal
from docfleet.backend.http.original import workflows as workflows_internal
from docfleet.backend.http.workers import executions as executions_internal
from docfleet.backend.http.workers import logs as logs_internal
from docfleet.backend.http.workers import notifications as notifications_internal
from docfleet.backend.http.workers import schedules as schedules_internal
from docfleet.backend.http.workers import settings as organizations_internal

INTERNAL_PREFIX = "/internal/v1"
PUBLIC_PREFIX = "/api/v1"
LARGEST_REPORT = 64 * 1024 * 1024
"""Bytes of an internal request: a report may carry the results of many files."""

_internal = Router(
    path=INTERNAL_PREFIX,
    request_max_body_size=LARGEST_REPORT,
    tags=["internal"],
    route_handlers=[
        health.health,
        *executions_internal.handlers,
        *workflows_internal.handlers,
        *files_internal.handlers,
        *history.handlers,
        *organizations_internal.handlers,
        *usage_internal.handlers,
        *pipelines_internal.handlers,
        *notifications_internal.handlers,
        *schedules_internal.handlers,
        *logs_internal.handlers,
    ],
)
_public = Router(
    path=PUBLIC_PREFIX,
    route_handlers=[
        *organizations_public.handlers,
        workflows_public.router,
        executions_public.router,
        files_public.router,
        deployments.router,
        pipelines_public.router,
        keys_public.router,
        notifications_public.router,
        logs_public.router,
    ],
)
handlers: list[ControllerRouterHandler] = [
    *health.handlers,
    _internal,
    _public,
    deployments_public.router,
    platform.router,
]
