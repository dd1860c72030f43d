"""Readers that follow logs live, and how they are woken.

A reader holds nothing but the number it has read up to. A commit wakes readers of the execution, in this process at
once and in others over Redis; then they read the rows behind their number. So a lost wake costs seconds, and a reader
that is slow, or away, slows no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import anyio
import structlog
from anyio import to_thread
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis import RedisError

from docfleet.backend.platform.redis import connect
from docfleet.backend.platform.waiting import WaitingCallers
from docfleet.core.log_events import LogsWritten

log = structlog.get_logger(__name__)

CHANNEL = "execution:{}:logs"
MAX_READERS = 200
READING_THREADS = 2
"""Threads of their own for readers, so that they take none from the calls of workers."""
_REDIS_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 1.0


class LogReaders:
    """The readers of this process, and counts of what was written in it."""

    def __init__(self, url: str | None) -> None:
        self.waiting = WaitingCallers(CHANNEL)
        self.written = LogsWritten()
        self.count = 0
        self._lock = threading.Lock()
        self._limiter: anyio.CapacityLimiter | None = None
        self._paused_until = 0.0
        self._client = connect(url, _TIMEOUT_SECONDS)

    def wake(self, execution_ids: Iterable[str]) -> None:
        """Wake the readers of these executions: new lines, or the end, are committed. Never raises; from any thread."""
        changed = list(execution_ids)
        for execution_id in changed:
            self.waiting.signal(execution_id)
        if self._client is None or not changed or time.monotonic() < self._paused_until:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for execution_id in changed:
                    pipeline.publish(CHANNEL.format(execution_id), self.waiting.origin)
                pipeline.execute()
        except (RedisError, OSError) as error:
            # Readers of other processes poll in any case.
            self._paused_until = time.monotonic() + _REDIS_PAUSE_SECONDS
            log.warning("logs.not_announced", error=str(error))

    def add(self, written: LogsWritten) -> None:
        """Count the outcome of a batch."""
        with self._lock:
            self.written.written += written.written
            self.written.repeated += written.repeated
            self.written.dropped += written.dropped

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Room for one more reader; False when there is none."""
        if self.count >= MAX_READERS:
            yield False
            return
        self.count += 1
        try:
            yield True
        finally:
            self.count -= 1

    async def read[T](self, call: Callable[[], T]) -> T:
        """Run ``call`` in one of the threads that readers share."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(READING_THREADS)
        return await to_thread.run_sync(call, limiter=self._limiter)

    def collect(self) -> Iterator[Metric]:
        """What this process wrote, and its number of readers."""
        meaning = "Lines of executions' logs that came in, by what became of them."
        lines = CounterMetricFamily("docfleet_log_lines", meaning, labels=["result"])
        for result in ("written", "repeated", "dropped"):
            lines.add_metric([result], getattr(self.written, result))
        yield lines
        yield GaugeMetricFamily("docfleet_log_readers", "Connections that follow a log live.", self.count)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
