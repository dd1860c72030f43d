"""The backend as a web application, and its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import anyio.to_thread
import structlog
from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide

from docfleet.backend.after_commit import AfterCommit
from docfleet.backend.calls.cache import ResultCache
from docfleet.backend.calls.service import Calls
from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import open_batches
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.executions.slot_hints import SlotHints
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.executions.sweeper import Sweeper
from docfleet.backend.http import allow, openapi, routes
from docfleet.backend.http.calls import formats
from docfleet.backend.http.guard import Guard
from docfleet.backend.http.own_port import OwnPort
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.notifications.dispatching import NotificationDispatcher
from docfleet.backend.platform.db import THREADS, Database
from docfleet.backend.platform.dispatch import CeleryDispatcher, Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.platform.redis import normalise_url
from docfleet.backend.platform.waiting import WaitingCallers
from docfleet.backend.settings import BackendSettings
from docfleet.backend.startup import prepare_database
from docfleet.backend.workflows.tool_registry import load_registry
from docfleet.core.errors import DependencyError
from docfleet.core.logs import configure_logging
from docfleet.core.management import MAX_REQUEST_BYTES
from docfleet.serving.listener import Listener, listen
from docfleet.serving.server import Server, limits_of
from docfleet.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The objects of the backend that live as long as its process. A handler gets one by its field's name.

    No name here may be that of a field of a request body: Litestar would report a fault of such a field as ours.
    """

    database: Database
    settings: BackendSettings
    cipher: Cipher
    dispatcher: Dispatcher
    tool_registry: ToolRegistry
    slots: Slots
    sweep_metrics: SweepMetrics
    sweeper: Sweeper
    slot_hints: SlotHints
    staging: Staging
    waiting: WaitingCallers
    log_readers: LogReaders
    notification_dispatcher: NotificationDispatcher
    result_cache: ResultCache
    calls: Calls

    @classmethod
    def create(cls, settings: BackendSettings, dispatcher: Dispatcher) -> Services:
        """Make all of them; nothing is contacted. Raises ``ConfigurationError``."""
        database = Database(settings.database_url)
        slots = Slots(settings.redis_url, settings.api_concurrent_limit_org, settings.api_concurrent_limit_global)
        staging = Staging(settings.execution_storage_root, settings.execution_result_ttl_seconds)
        waiting, cache = WaitingCallers(), ResultCache(settings.redis_url)
        log_readers = LogReaders(settings.redis_url)
        cipher, tools = Cipher(settings.encryption_key), load_registry(settings.tool_registry_config_path)
        notification_dispatcher = NotificationDispatcher(database, dispatcher, settings.dispatch_deadline_seconds)
        slot_hints = SlotHints(dispatcher, lambda: open_batches.call_waits(database))
        database.after_commit = AfterCommit(
            database,
            waiting,
            slots,
            staging,
            notification_dispatcher,
            log_readers,
            dispatcher,
            slot_hints,
            Policy.of(settings),
        )
        sweep_metrics = SweepMetrics()
        return cls(
            database=database,
            settings=settings,
            cipher=cipher,
            dispatcher=dispatcher,
            tool_registry=tools,
            slots=slots,
            sweep_metrics=sweep_metrics,
            sweeper=Sweeper(database, dispatcher, settings, sweep_metrics),
            slot_hints=slot_hints,
            staging=staging,
            waiting=waiting,
            log_readers=log_readers,
            notification_dispatcher=notification_dispatcher,
            result_cache=cache,
            calls=Calls(database, dispatcher, cipher, settings, tools, waiting, slots, staging, cache),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Upgrade the schema and listen to other processes; close everything at the end."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await anyio.to_thread.run_sync(upgrade, self.settings.database_url)
        followers: list[asyncio.Task[None]] = []
        signals = (self.waiting, self.log_readers.waiting)
        for signal in signals:
            signal.start()
            if self.settings.redis_url is not None:
                followers.append(asyncio.create_task(signal.follow(normalise_url(self.settings.redis_url))))
        try:
            yield
        finally:
            for signal in signals:
                signal.stop()
            for task in followers:
                task.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
            for background in (self.sweeper, self.notification_dispatcher):
                await anyio.to_thread.run_sync(background.stop)
            self.slot_hints.stop()
            await anyio.to_thread.run_sync(self.dispatcher.close)
            for service in (self.slots, self.log_readers, self.result_cache, self.database):
                service.close()


def create_app(settings: BackendSettings, dispatcher: Dispatcher | None = None) -> Litestar:
    """The application. Migrations run when it starts; nothing is contacted before.

    ``dispatcher`` replaces the Celery producer (tests). Raises ``ConfigurationError``.
    """
    services = Services.create(settings, dispatcher or CeleryDispatcher(settings.broker_url))
    return Litestar(
        route_handlers=routes.handlers,
        guards=[
            Guard(settings.keys, settings.metrics_keys, services.database, openapi.PATH),
            OwnPort(settings.backend_internal_port if settings.backend_internal_only else None, routes.INTERNAL_PREFIX),
        ],
        dependencies={
            **{field.name: _value(getattr(services, field.name)) for field in fields(services)},
            "organization_id": Provide(_organization_id, sync_to_thread=False),
        },
        signature_types=list(get_type_hints(Services).values()),
        before_send=[allow.complete],
        request_max_body_size=MAX_REQUEST_BYTES,
        exception_handlers=formats.application_handlers,
        openapi_config=openapi.config,
        lifespan=[lambda _: services.running()],
        state=State({"engine": services.database.engine}),
        logging_config=None,
        debug=False,
    )


def _organization_id(request: Request[Any, Any, Any]) -> str:
    return str(request.state.organization_id)


def _value(value: object) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, sync_to_thread=False, use_cache=True)


def serve(settings: BackendSettings) -> None:
    """Serve in this process until SIGTERM or SIGINT. Prints nothing; logs go to standard error.

    Raises ``DependencyError`` when the database stays away or the port is taken, ``ConfigurationError``.
    """
    configure_logging(settings.log_level, settings.log_format, libraries="WARNING")
    log.info("backend.starting", host=settings.backend_host, port=settings.backend_port)
    app = create_app(settings)
    prepare_database(settings.database_url)
    server = Server(
        app,
        _listeners(settings),
        timeout_graceful_shutdown=10,
        # A client that follows a log sends nothing.
        ws_max_size=16_384,
        ws_per_message_deflate=False,  # compression costs more than the bandwidth it saves
    )
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    if not server.started:
        raise DependencyError("the backend did not start; the log lines above give the reason")


def _listeners(settings: BackendSettings) -> list[Listener]:
    """The port of everybody, and that of the workers where they have one."""
    addresses = [("BACKEND", settings.backend_host, settings.backend_port)]
    if settings.backend_internal_port is not None:
        host = settings.backend_internal_host or settings.backend_host
        addresses.append(("BACKEND_INTERNAL", host, settings.backend_internal_port))
    limits = limits_of(settings.backend_max_connections, len(addresses), "BACKEND_MAX_CONNECTIONS")
    return [Listener(listen(host, port, setting), limits) for setting, host, port in addresses]
