"""An execution's log over a WebSocket: existing lines, then new ones, until the execution has ended.

Frames are JSON: ``{"events": [...], "last_event_id": N}``, and at last
``{"end": true, "status": ..., "last_event_id": N}``.
A reader that reconnects with ``?after=N`` (or ``Last-Event-ID: N``) continues after line N.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketException
from litestar.params import FromPath

from docfleet.backend.http.guard import SUBPROTOCOL
from docfleet.backend.logs.history import History
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.logs.repository import LogFilter
from docfleet.backend.platform.db import Database
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import NotFound
from docfleet.core.log_events import LogLevel
from docfleet.core.management.logs import LogFrame
from docfleet.core.status import ExecutionStatus

log = structlog.get_logger(__name__)

PAGE_LINES = 500
POLL_SECONDS = 5.0
"""How often a reader polls when it is not woken."""
BATCH_SECONDS = 0.05
"""Seconds between two reads of one reader: lines of that time go into one frame."""
GRACE_SECONDS = 2.0
"""How long after the end lines may still arrive: they take another way than the status."""
SEND_SECONDS = 10.0
"""A reader that does not take a frame within these seconds is disconnected. It may reconnect and continue."""
NOT_FOUND, INVALID, FULL, SLOW = 4404, 4400, 1013, 1008


class _Subscription:
    """One connection: its socket, and the number it has read up to."""

    def __init__(self, socket: WebSocket[Any, Any, Any], history: History, after: int, log_filter: LogFilter) -> None:
        self._socket = socket
        self._history = history
        self._after = after
        self._log_filter = log_filter

    async def run(self, readers: LogReaders) -> None:
        """Until the end, or until it is gone."""
        gone: asyncio.Future[Any] = asyncio.ensure_future(self._gone())
        try:
            with readers.waiting.listen(self._history.execution_id) as event:
                await self._follow(readers, event, gone)
        except TimeoutError:
            log.info("logs.reader_too_slow", execution_id=self._history.execution_id)
            await self._close(SLOW, "too slow: connect again with after=N")
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _follow(self, readers: LogReaders, event: asyncio.Event, gone: asyncio.Future[Any]) -> None:
        quiet_since: float | None = None
        while not gone.done():
            event.clear()
            chunk = await readers.read(lambda: self._history.read(self._after, PAGE_LINES, self._log_filter))
            self._after = chunk.position
            if chunk.lines:
                quiet_since = None
                await self._send(LogFrame(events=chunk.lines, last_event_id=self._after))
            if chunk.more:
                continue
            if chunk.status.is_final:
                quiet_since = quiet_since or time.monotonic()
                if chunk.archived or time.monotonic() - quiet_since >= GRACE_SECONDS:
                    return await self._end(chunk.status)
            waking: asyncio.Future[Any] = asyncio.ensure_future(event.wait())
            seconds = GRACE_SECONDS if chunk.status.is_final else POLL_SECONDS
            await asyncio.wait([waking, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            await asyncio.sleep(BATCH_SECONDS)

    async def _end(self, status: ExecutionStatus) -> None:
        await self._send(LogFrame(end=True, status=status, last_event_id=self._after))
        await self._close(1000, "the execution has ended")

    async def _send(self, frame: LogFrame) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._socket.send_text(msgspec.json.encode(frame).decode())

    async def _close(self, code: int, reason: str) -> None:
        async with asyncio.timeout(1.0):
            await self._socket.close(code, reason)

    async def _gone(self) -> None:
        # What a reader sends has no meaning; receiving it shows when the connection has ended.
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            await asyncio.sleep(0)


@websocket("/executions/{execution_id:uuid}/events")
async def follow_log(
    execution_id: FromPath[UUID],
    socket: WebSocket[Any, Any, Any],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    log_readers: NamedDependency[LogReaders],
) -> None:
    """The log of an execution, live; ``after`` and ``level`` as in its listing."""
    after, log_filter = _parameters(socket)
    organization_id = str(socket.state.organization_id)
    try:
        history = await log_readers.read(
            lambda: History(database, settings.execution_storage_root, organization_id, str(execution_id))
        )
    except NotFound as error:
        raise WebSocketException(detail=error.message, code=NOT_FOUND) from error
    with log_readers.place() as free:
        if not free:
            raise WebSocketException(detail="too many follow logs already: try again later", code=FULL)
        offered = socket.scope.get("subprotocols") or []
        await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        try:
            await _Subscription(socket, history, after, log_filter).run(log_readers)
        except (NotFound, OSError, RuntimeError, WebSocketException, TimeoutError) as error:
            # The execution was deleted, or the connection broke during a send.
            log.debug("logs.reader_gone", execution_id=history.execution_id, error=str(error))


def _parameters(socket: WebSocket[Any, Any, Any]) -> tuple[int, LogFilter]:
    query = socket.query_params
    after = query.get("after") or socket.headers.get("Last-Event-ID") or "0"
    level = str(query.get("level") or LogLevel.INFO)
    if not (after.isascii() and after.isdigit() and len(after) <= 15) or level not in LogLevel.__members__:
        raise WebSocketException(detail="after has to be a number, level INFO, WARN or ERROR", code=INVALID)
    return int(after), LogFilter(level=LogLevel(level))
