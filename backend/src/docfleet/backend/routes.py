"""Every route of the backend."""

from __future__ import annotations

from litestar import Router
from litestar.types import ControllerRouterHandler

from docfleet.backend import health
from docfleet.backend.deployments import management, platform
from docfleet.backend.deployments import public as deployments_public
from docfleet.backend.executions import internal as executions_internal
from docfleet.backend.executions import public as executions_public
from docfleet.backend.files import history_internal
from docfleet.backend.files import internal as files_internal
from docfleet.backend.files import public as files_public
from docfleet.backend.keys import public as keys_public
from docfleet.backend.logs import internal as logs_internal
from docfleet.backend.logs import public as logs_public
from docfleet.backend.notifications import internal as notifications_internal
from docfleet.backend.notifications import public as notifications_public
from docfleet.backend.organizations import internal as organizations_internal
from docfleet.backend.organizations import public as organizations_public
from docfleet.backend.pipelines import internal as pipelines_internal
from docfleet.backend.pipelines import public as pipelines_public
from docfleet.backend.schedules import internal as schedules_internal
from docfleet.backend.usage import internal as usage_internal
from docfleet.backend.workflows import internal as workflows_internal
from docfleet.backend.workflows import public as workflows_public

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
        *history_internal.handlers,
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
        management.router,
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
