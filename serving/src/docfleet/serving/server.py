"""uvicorn on one listener or several, each with limits of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn

from docfleet.core import descriptors
from docfleet.serving.limits import DESCRIPTORS_BESIDE, DESCRIPTORS_PER_CONNECTION, ConnectionLimits
from docfleet.serving.listener import Listener
from docfleet.serving.protocol import LimitedProtocol, LimitedWebSocket, ListenerState

_CHECK_TICKS = 5
"""uvicorn ticks ten times a second."""


class Server(uvicorn.Server):
    """Serves ``app`` on the listeners. ``options`` are uvicorn's."""

    def __init__(self, app: Any, listeners: Sequence[Listener], **options: Any) -> None:
        self.listeners = listeners
        options = {"http": LimitedProtocol, "ws": LimitedWebSocket, **options}
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, **options))
        self.server_state = ListenerState(listeners)

    def serve_forever(self) -> None:
        """Serve in this process until SIGTERM or SIGINT."""
        self.run(sockets=[socket for listener in self.listeners for socket in listener.sockets])

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's tick, and now and then a look at every connection."""
        if counter % _CHECK_TICKS == 0:
            for listener in self.listeners:
                listener.check(asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def limits_of(connections: int, listeners: int, setting: str) -> ConnectionLimits:
    """The limits of each of so many listeners, with fewer ``connections`` where the descriptors of this process do not
    suffice. ``setting`` is the one that sets the connections: a warning names it."""
    needed = connections * listeners * DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_BESIDE
    spare = max(0, descriptors.ensure(needed, setting) - DESCRIPTORS_BESIDE)
    possible = max(1, spare // (DESCRIPTORS_PER_CONNECTION * listeners))
    return ConnectionLimits(connections=min(connections, possible))
