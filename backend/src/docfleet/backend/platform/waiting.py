"""Waiting for an execution's end without holding a thread.

A waiter listens before the execution is sent. The process that commits the end signals it: at once
in its own process, over Redis in others. A waiter also polls the row, so that a lost signal costs only seconds.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
from redis import RedisError
from redis import asyncio as redis_async

log = structlog.get_logger(__name__)

POLL_SECONDS = 5.0
_CHANNEL = "execution:{}:final"


def channel(execution_id: str) -> str:
    """The Redis channel that announces the end of an execution to other processes."""
    return _CHANNEL.format(execution_id)


class WaitingCallers:
    """The waiters of this process, by execution.

    ``signal`` may be called from any thread; everything else belongs to the event loop.
    """

    def __init__(self, channel: str = _CHANNEL) -> None:
        """``channel`` is the Redis channel of other processes' signals, with ``{}`` for the execution."""
        self.origin = uuid.uuid4().bytes
        """The message of this process's own signals, which it ignores."""
        self._channel = channel
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: dict[str, set[asyncio.Event]] = {}

    def start(self) -> None:
        """Remember the running loop."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Signals are dropped from now on."""
        self._loop = None

    @contextmanager
    def listen(self, execution_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the execution ends."""
        event = asyncio.Event()
        self._events.setdefault(execution_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._events[execution_id]
            waiting.discard(event)
            if not waiting:
                del self._events[execution_id]

    def signal(self, execution_id: str) -> None:
        """Wake the waiters of an execution whose end is committed."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._set, execution_id)
            except RuntimeError:  # the loop closed meanwhile: there are no waiters
                return

    def _set(self, execution_id: str) -> None:
        for event in self._events.get(execution_id, ()):
            event.set()

    async def until_final(
        self,
        event: asyncio.Event,
        timeout: float,
        is_final: Callable[[], Awaitable[bool]],
        gone: Awaitable[None],
        poll_seconds: float = POLL_SECONDS,
    ) -> bool:
        """Wait up to ``timeout`` seconds for ``event``; False when the caller is ``gone`` first.

        ``is_final`` reads the row, every ``poll_seconds``.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        leaving = asyncio.ensure_future(gone)
        ending = asyncio.ensure_future(event.wait())
        try:
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                done, _ = await asyncio.wait(
                    {leaving, ending}, timeout=min(left, poll_seconds), return_when=asyncio.FIRST_COMPLETED
                )
                if ending in done:
                    return True
                if leaving in done:
                    return False
                if await is_final():
                    return True
            return True
        finally:
            leaving.cancel()
            ending.cancel()
            await asyncio.gather(leaving, ending, return_exceptions=True)

    async def follow(self, url: str) -> None:
        """Receive signals of other processes until cancelled."""
        while True:
            try:
                async with redis_async.Redis.from_url(url) as client, client.pubsub() as subscription:
                    await subscription.psubscribe(self._channel.format("*"))
                    async for message in subscription.listen():
                        if message["type"] == "pmessage" and message["data"] != self.origin:
                            self._set(message["channel"].decode().split(":")[1])
            except (RedisError, OSError) as error:
                log.warning("waiting.subscription_lost", error=str(error))
            await asyncio.sleep(1.0)
