"""The lower bound: a Celery app with one task that does nothing, and a chord over it.

Also the app a worker is started from: ``celery -A bench.bare_celery worker``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

from celery import Celery, chord

from bench.processes import cpu_seconds
from docfleet.core.settings import environment

NOTHING, COUNT = "bare.nothing", "bare.count"


def bare_app(broker: str | None, results: str | None) -> Celery:
    """A separate app for each broker, because an app keeps the connections to its first broker."""
    made = Celery("bare", set_as_current=False)
    made.conf.update(
        broker_url=broker,
        result_backend=results,
        task_default_queue="bare",
        worker_prefetch_multiplier=4,
        broker_connection_retry_on_startup=True,
    )
    return made


app = bare_app(environment().get("BARE_BROKER"), environment().get("BARE_RESULTS"))

CHORD_SECONDS = 600.0


@app.task(name=NOTHING)  # type: ignore[untyped-decorator]  # Celery has no types
def nothing(number: int) -> int:
    """Do nothing."""
    return number


@app.task(name=COUNT)  # type: ignore[untyped-decorator]  # Celery has no types
def count(results: list[int]) -> int:
    """The callback."""
    return len(results)


class BareWorker:
    """A plain prefork Celery worker on the given broker. A context manager."""

    def __init__(self, broker: str, results: str, slots: int) -> None:
        self._app = bare_app(broker, results)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "bench.bare_celery", "worker", "-c", str(slots), "-l", "WARNING"],
            env={**environment(), "BARE_BROKER": broker, "BARE_RESULTS": results},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        self._app.signature(NOTHING, args=[0], app=self._app).apply_async().get(timeout=60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._app.close()

    def run(self, files: int) -> tuple[float, float]:
        """Wall seconds and the worker's CPU seconds of one chord of ``files`` tasks, from its sending to its end."""
        cpu, started = cpu_seconds([self._process.pid]), time.monotonic()
        header = [self._app.signature(NOTHING, args=[number], app=self._app) for number in range(files)]
        done: Any = chord(header, app=self._app)(self._app.signature(COUNT, app=self._app))
        counted = done.get(timeout=CHORD_SECONDS, interval=0.02)
        wall = time.monotonic() - started
        if counted != files:
            raise RuntimeError(f"the chord counted {counted} of {files} tasks")
        return wall, cpu_seconds([self._process.pid]) - cpu
