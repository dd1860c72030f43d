"""The backend as a web application, and how it is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio.to_thread
import structlog
import uvicorn
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from docfleet.backend import openapi
from docfleet.backend.auth.guard import Guard
from docfleet.backend.db import THREADS, Database
from docfleet.backend.deployments import compat, management, platform
from docfleet.backend.deployments import public as deployments_public
from docfleet.backend.deployments.cache import ResultCache
from docfleet.backend.deployments.calls import Calls
from docfleet.backend.dispatch import CeleryDispatcher, Dispatcher
from docfleet.backend.encryption import Cipher
from docfleet.backend.endings import Endings
from docfleet.backend.executions import internal as executions_internal
from docfleet.backend.executions import public as executions_public
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.files import history_internal
from docfleet.backend.files import internal as files_internal
from docfleet.backend.files import public as files_public
from docfleet.backend.keys import public as keys_public
from docfleet.backend.limits import Slots, redis_url
from docfleet.backend.logs import internal as logs_internal
from docfleet.backend.logs import public as logs_public
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.notifications import internal as notifications_internal
from docfleet.backend.notifications import public as notifications_public
from docfleet.backend.notifications.dispatching import Courier
from docfleet.backend.notifications.metrics import outbox_lines
from docfleet.backend.organizations import internal as organizations_internal
from docfleet.backend.organizations import public as organizations_public
from docfleet.backend.pipelines import internal as pipelines_internal
from docfleet.backend.pipelines import public as pipelines_public
from docfleet.backend.schedules import internal as schedules_internal
from docfleet.backend.schedules.metrics import schedule_lines
from docfleet.backend.settings import BackendSettings
from docfleet.backend.startup import listen, prepare_database
from docfleet.backend.tools.registry import load_registry
from docfleet.backend.uploads.staging import Staging
from docfleet.backend.usage import internal as usage_internal
from docfleet.backend.waiting import Waiting
from docfleet.backend.workflows import internal as workflows_internal
from docfleet.backend.workflows import public as workflows_public
from docfleet.core.errors import DependencyError
from docfleet.core.logs import configure_logging
from docfleet.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

INTERNAL_PREFIX = "/internal/v1"
PUBLIC_PREFIX = "/api/v1"
LARGEST_REPORT = 64 * 1024 * 1024
"""Bytes of an internal request: a report may carry the results of many files."""


@get("/livez", sync_to_thread=False, opt={"public": True}, tags=["health"])
def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=True, opt={"public": True}, tags=["health"])
def readyz(database: NamedDependency[Database]) -> Response[dict[str, str]]:
    """The database answers; 503 when it does not."""
    database.check()
    return Response({"status": "ok"})


@get("/health", sync_to_thread=True, opt={"organization": False})
def health(database: NamedDependency[Database]) -> dict[str, Any]:
    """E39: for workers."""
    database.check()
    return {"status": "healthy", "service": "docfleet-backend", "version": "v1", "authenticated": True}


@get("/metrics", sync_to_thread=True, opt={"organization": False}, media_type="text/plain", tags=["health"])
def metrics(
    slots: NamedDependency[Slots],
    database: NamedDependency[Database],
    sweep_metrics: NamedDependency[SweepMetrics],
    log_readers: NamedDependency[LogReaders],
) -> str:
    """Counters as Prometheus reads them."""
    name = "docfleet_rate_limit_unavailable_total"
    return (
        f"# HELP {name} Calls of APIs let in unchecked because Redis did not answer.\n"
        f"# TYPE {name} counter\n{name} {slots.unavailable}\n"
        + "".join(f"{line}\n" for line in sweep_metrics.lines(database))
        + "".join(f"{line}\n" for line in log_readers.metrics())
        + "".join(f"{line}\n" for line in outbox_lines(database))
        + "".join(f"{line}\n" for line in schedule_lines(database))
    )


def _organization_id(request: Request[Any, Any, Any]) -> str:
    return str(request.state.organization_id)


def _value(value: object) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, sync_to_thread=False, use_cache=True)


def create_app(settings: BackendSettings, dispatcher: Dispatcher | None = None) -> Litestar:
    """The application. Migrations run when it starts; nothing is contacted before.

    ``dispatcher`` replaces the Celery producer (tests). Raises ``ConfigurationError``.
    """
    database = Database(settings.database_url)
    slots = Slots(settings.redis_url, settings.api_concurrent_limit_org, settings.api_concurrent_limit_global)
    staging = Staging(settings.execution_storage_root, settings.execution_result_ttl_seconds)
    waiting, cache = Waiting(), ResultCache(settings.redis_url)
    log_readers = LogReaders(settings.redis_url)
    cipher, tools = Cipher(settings.encryption_key), load_registry(settings.tool_registry_config_path)
    sender = dispatcher or CeleryDispatcher(settings.broker_url)
    courier = Courier(database, sender, settings.dispatch_deadline_seconds)
    database.after_commit = Endings(database, waiting, slots, staging, courier, log_readers)
    guard = Guard(settings.keys, database, openapi.PATH)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await anyio.to_thread.run_sync(upgrade, settings.database_url)
        following: list[asyncio.Task[None]] = []
        for each in (waiting, log_readers.waiting):
            each.start()
            if settings.redis_url is not None:
                following.append(asyncio.create_task(each.follow(redis_url(settings.redis_url))))
        try:
            yield
        finally:
            for each in (waiting, log_readers.waiting):
                each.stop()
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            await anyio.to_thread.run_sync(courier.stop)
            await anyio.to_thread.run_sync(sender.close)
            slots.close()
            log_readers.close()
            cache.close()
            database.close()

    internal = Router(
        path=INTERNAL_PREFIX,
        request_max_body_size=LARGEST_REPORT,
        tags=["internal"],
        route_handlers=[
            health,
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
    public = Router(
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
    return Litestar(
        route_handlers=[livez, readyz, metrics, internal, public, deployments_public.router, platform.router],
        guards=[guard],
        # No name of a body's field here: Litestar takes a fault of such a field for a fault of ours.
        dependencies={
            "database": _value(database),
            "settings": _value(settings),
            "cipher": _value(cipher),
            "dispatcher": _value(sender),
            "tool_registry": _value(tools),
            "slots": _value(slots),
            "sweep_metrics": _value(SweepMetrics()),
            "staging": _value(staging),
            "waiting": _value(waiting),
            "log_readers": _value(log_readers),
            "courier": _value(courier),
            "calls": _value(Calls(database, sender, cipher, settings, tools, waiting, slots, staging, cache)),
            "organization_id": Provide(_organization_id, sync_to_thread=False),
        },
        signature_types=[
            Database,
            BackendSettings,
            Cipher,
            Dispatcher,
            ToolRegistry,
            Slots,
            Staging,
            Waiting,
            LogReaders,
            Calls,
            Courier,
            SweepMetrics,
        ],
        exception_handlers=compat.application_handlers,
        openapi_config=openapi.config,
        lifespan=[lifespan],
        state=State({"engine": database.engine}),
        logging_config=None,
        debug=False,
    )


def serve(settings: BackendSettings) -> None:
    """Serve in this process until SIGTERM or SIGINT. Prints nothing; logs go to standard error.

    Raises ``DependencyError`` when the database stays away or the port is taken, ``ConfigurationError``.
    """
    configure_logging(settings.log_level, settings.log_format, libraries="WARNING")
    log.info("backend.starting", host=settings.backend_host, port=settings.backend_port)
    app = create_app(settings)
    prepare_database(settings.database_url)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            # Whoever follows a log sends nothing.
            ws_max_size=16_384,
            ws_per_message_deflate=False,  # costs more than the bytes are worth within a data centre
        )
    )
    with suppress(KeyboardInterrupt):
        server.run(sockets=listen(settings.backend_host, settings.backend_port))
    if not server.started:
        raise DependencyError("the backend did not start; the lines before say why")
