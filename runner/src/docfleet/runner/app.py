"""The HTTP service. All but ``/livez`` and ``/readyz`` require ``Authorization: Bearer RUNNER_API_KEY``."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hmac
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from litestar import Litestar, Request, Response, Router, delete, get, put
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from docfleet.core.errors import (
    Conflict,
    DependencyError,
    DocfleetError,
    InvalidInput,
    NotAllowed,
    NotFound,
    RunnerUnavailable,
    ToolUnknown,
)
from docfleet.core.logs import configure_logging
from docfleet.core.machine import machine_trouble
from docfleet.core.runs import RunRequest, RunState
from docfleet.runner import processes
from docfleet.runner.engines.process import ProcessEngine
from docfleet.runner.logs import log
from docfleet.runner.runs import RunTable
from docfleet.runner.settings import RunnerSettings
from docfleet.serving.listener import Listener, listen
from docfleet.serving.server import Server, limits_of
from docfleet.tools.registry import ToolRegistry

MAX_WAIT_SECONDS = 300.0
MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""The most bytes of a run: the settings of one tool, and names."""

_HOME_PREFIX = "docfleet-runner-"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}\Z")
_PROBLEM = "application/problem+json"

_STATUS: tuple[tuple[type[DocfleetError], HTTPStatus], ...] = (
    (NotAllowed, HTTPStatus.UNAUTHORIZED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (ToolUnknown, HTTPStatus.BAD_REQUEST),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
)

Wait = Annotated[float, QueryParameter(ge=0, le=MAX_WAIT_SECONDS)]


def _table(state: State) -> RunTable:
    table: RunTable = state.table
    return table


def _checked(run_id: str) -> str:
    if not _RUN_ID.match(run_id):
        raise InvalidInput("a run id is 1 to 200 letters, digits and any of _ . : -")
    return run_id


@put("/runs/{run_id:str}", status_code=HTTPStatus.OK)
async def put_run(run_id: FromPath[str], data: JSONBody[RunRequest], state: State, wait: Wait = 0.0) -> RunState:
    """Create the run or find it; with ``wait``, answer when it is final or after that many seconds."""
    if data.step < 1:
        raise InvalidInput("step counts from 1")
    return await _table(state).put(_checked(run_id), data, wait)


@get("/runs/{run_id:str}")
async def get_run(run_id: FromPath[str], state: State, wait: Wait = 0.0) -> RunState:
    """The run's state, as PUT answers it."""
    return await _table(state).get(_checked(run_id), wait)


@delete("/runs/{run_id:str}", status_code=HTTPStatus.OK)
async def delete_run(run_id: FromPath[str], state: State) -> RunState:
    """Kill the run; a final run stays as it is."""
    return await _table(state).delete(_checked(run_id))


@get("/livez", media_type="text/plain")
async def livez() -> str:
    """The process answers."""
    return "ok"


@get("/readyz", media_type="text/plain")
async def readyz(state: State) -> str:
    """The runner accepts runs."""
    if _table(state).draining:
        raise RunnerUnavailable("the runner is shutting down")
    return "ok"


def _problem(request: Request[Any, Any, Any], status: int, code: str, detail: str) -> Response[dict[str, Any]]:
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "instance": request.url.path,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return Response(content, status_code=status, media_type=_PROBLEM, headers=headers)


def _docfleet_error(request: Request[Any, Any, Any], error: DocfleetError) -> Response[dict[str, Any]]:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return _problem(request, status, error.code, error.message)
    return _any_error(request, error)


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    codes = {404: NotFound.code, 401: NotAllowed.code}
    faults = "; ".join(
        f"{item.get('key', 'body')}: {item.get('message')}" for item in error.extra or [] if isinstance(item, dict)
    )
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        faults = f"the body of the request is too large: it has at most {MAX_REQUEST_BYTES} bytes"
    response = _problem(
        request, error.status_code, codes.get(error.status_code, InvalidInput.code), faults or error.detail
    )
    response.headers.update(error.headers or {})  # Allow, with 405
    return response


def _os_error(request: Request[Any, Any, Any], error: OSError) -> Response[dict[str, Any]]:
    trouble = machine_trouble(error, forking=True)
    return _any_error(request, error) if trouble is None else _docfleet_error(request, trouble)


def _any_error(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    log.error("request.broken", path=request.url.path, exc_info=error)
    return _problem(request, 500, DocfleetError.code, "the runner failed to handle the request: see its log")


def _sweep(work_dir: Path) -> None:
    # A folder whose lock is free belongs to a runner that is gone.
    for folder in work_dir.glob(f"{_HOME_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _home(work_dir: Path) -> Any:
    work_dir.mkdir(parents=True, exist_ok=True)
    _sweep(work_dir)
    folder = Path(tempfile.mkdtemp(prefix=_HOME_PREFIX, dir=work_dir))
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def create_app(settings: RunnerSettings, *, owns_process: bool = False) -> Litestar:
    """The application. ``owns_process``: every unknown child process may be killed as a leftover.

    Raises ``ConfigurationError`` when the tool registry cannot be read.
    """
    path = settings.tool_registry_config_path
    registry = ToolRegistry.load(Path(path) if path else None)
    expected = f"Bearer {settings.runner_api_key}".encode()

    def require_key(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, expected):
            raise NotAllowed("the key is missing or wrong: send Authorization: Bearer RUNNER_API_KEY")

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        with _home(Path(settings.runner_work_dir)) as home:
            engine = ProcessEngine(home, owns_process=owns_process)
            table = RunTable(settings, registry, engine, home)
            app.state.table = table
            try:
                yield
            finally:
                await table.drain(0.0)
                await engine.close()

    return Litestar(
        [livez, readyz, Router("/v1", route_handlers=[put_run, get_run, delete_run], guards=[require_key])],
        lifespan=[lifespan],
        request_max_body_size=MAX_REQUEST_BYTES,
        exception_handlers={
            DocfleetError: _docfleet_error,
            HTTPException: _http_error,
            OSError: _os_error,
            Exception: _any_error,
        },
        openapi_config=None,
        logging_config=None,
    )


class _Server(Server):
    """A server that answers ``/readyz`` with 503 and lets tools finish before it stops listening."""

    def __init__(self, app: Litestar, listener: Listener, grace_seconds: float) -> None:
        super().__init__(app, [listener], date_header=False, timeout_graceful_shutdown=5, ws="none")
        self._app = app
        self._grace_seconds = grace_seconds
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Remember the loop that a signal has to wake."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                log.info("runner.listening", address=":".join(map(str, listener.getsockname()[:2])))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. Second: leave now."""
        if self._draining is not None or self._loop is None:
            self.should_exit = True
            return
        self._loop.call_soon_threadsafe(self._start_drain, signal.Signals(sig).name)

    def _start_drain(self, name: str) -> None:
        if self._draining is None:
            log.info("runner.stopping", signal=name)
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        table: RunTable | None = self._app.state.get("table")
        if table is not None:
            await table.drain(self._grace_seconds)
        self.should_exit = True


def serve(settings: RunnerSettings) -> None:
    """Listen until SIGTERM or SIGINT. Returns when everything is stopped and removed."""
    configure_logging(settings.log_level, settings.log_format, libraries="WARNING")
    processes.hide_memory()
    app = create_app(settings, owns_process=True)
    limits = limits_of(settings.runner_max_connections, 1, "RUNNER_MAX_CONNECTIONS")
    listener = Listener(listen(settings.runner_host, settings.runner_port, "RUNNER"), limits)
    _Server(app, listener, settings.runner_grace_seconds).serve_forever()


__all__ = ["create_app", "serve"]
