"""A bounded buffer of events for the broker. When it is full, the least serious events are dropped first."""

from __future__ import annotations

import threading
from collections import deque

from docfleet.core.log_events import LogEvent, LogLevel

MAX_WAITING = 2000
"""The most events per process that wait while the broker is unavailable."""


class LogBuffer:
    """A queue that never blocks. Any thread may put events; one thread takes them."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._count = 0
        self._size = 0
        # One queue per level. Each entry has a number, and entries are taken in the order of the numbers.
        self._levels: tuple[deque[tuple[int, LogEvent]], ...] = tuple(deque() for _ in LogLevel)
        self._lock = threading.Lock()
        self.dropped = 0
        """The number of events that were dropped since ``take_dropped``."""

    def put(self, event: LogEvent) -> int:
        """Add an event. When the buffer is full, the oldest of the least serious is dropped. Returns the number that
        wait."""
        with self._lock:
            if self._size >= self._limit:
                self.dropped += 1
                least = next(level for level, queue in enumerate(self._levels) if queue)
                if least > event.level.rank:
                    return self._size
                self._levels[least].popleft()
                self._size -= 1
            self._count += 1
            self._levels[event.level.rank].append((self._count, event))
            self._size += 1
            return self._size

    def put_back(self, events: list[LogEvent]) -> None:
        """Put events that were taken but not sent back to the front, as far as there is room."""
        with self._lock:
            for event in reversed(events):
                if self._size >= self._limit and event.level is not LogLevel.ERROR:
                    self.dropped += 1
                    continue
                self._levels[event.level.rank].appendleft((-1, event))
                self._size += 1

    def take(self, most: int) -> list[LogEvent]:
        """Remove and return the oldest events."""
        taken: list[LogEvent] = []
        with self._lock:
            while len(taken) < most and self._size:
                queue = min((queue for queue in self._levels if queue), key=lambda queue: queue[0][0])
                taken.append(queue.popleft()[1])
                self._size -= 1
        return taken

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        with self._lock:
            dropped, self.dropped = self.dropped, 0
            return dropped

    def __len__(self) -> int:
        return self._size
