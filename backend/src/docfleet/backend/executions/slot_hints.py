"""Hints to the workers that an execution waits for a slot: they reach a batch within one file.

A hint is only a hint. A batch that misses it learns the same with its next report.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.core.names import SLOT_WANTED

log = structlog.get_logger(__name__)

RUN_SECONDS = 0.2
"""The shortest time between two hints about runs. Those in between are sent as one, at its end."""
CALL_SECONDS = 0.1
"""How long a call of an API waits before it is hinted at. Most calls have got a slot by then, and every hint costs a
report of every batch."""


class SlotHints:
    """Broadcasts hints, not more often than they are of use. ``call_waits`` tells whether a call waits for a slot."""

    def __init__(self, dispatcher: Dispatcher, call_waits: Callable[[], bool]) -> None:
        self._dispatcher = dispatcher
        self._call_waits = call_waits
        self._lock = threading.Lock()
        self._timers: dict[bool, threading.Timer] = {}
        self._again = False
        self._stopped = False

    def send(self, *, is_api: bool) -> None:
        """A run, or a call of an API, has begun to wait. Never blocks."""
        with self._lock:
            if self._stopped:
                return
            if is_api in self._timers:
                self._again = self._again or not is_api
                return
            self._start(is_api)
        if not is_api:
            self._broadcast(is_api=False)

    def stop(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._stopped = True
            for timer in self._timers.values():
                timer.cancel()

    def _start(self, is_api: bool) -> None:
        timer = threading.Timer(CALL_SECONDS if is_api else RUN_SECONDS, self._time_is_up, (is_api,))
        timer.daemon = True
        self._timers[is_api] = timer
        timer.start()

    def _time_is_up(self, is_api: bool) -> None:
        with self._lock:
            del self._timers[is_api]
            again, self._again = self._again, self._again and is_api
            if self._stopped:
                return
            if again and not is_api:
                self._start(is_api)
        try:
            if self._call_waits() if is_api else again:
                self._broadcast(is_api=is_api)
        except Exception:  # a thread's boundary; without the hint, the next reports do the same
            log.exception("slot_hint.failed")

    def _broadcast(self, *, is_api: bool) -> None:
        self._dispatcher.broadcast(SLOT_WANTED, {"is_api": is_api})
