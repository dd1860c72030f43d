"""Shutdown within a grace period.

The parent alone gets the signal (children ignore SIGTERM, see ``fork``). Then, within ``WORKER_GRACE_SECONDS``:

* at once, it takes no more messages, and a batch takes no more files: it checks between two files and sends the rest
  (maybe an hour of work) on as a new message;
* when ``HAND_BACK_SECONDS`` are left, the file in work is handed back too: its tool is killed, its lease released;
* when ``LEAVE_SECONDS`` are left, the children that still work are killed, their files released and their messages put
  back, so that another worker takes them at once.

Celery's own soft shutdown is not used: it sleeps for the entire period even when all is done, and then ends tasks with
the SIGTERM that children ignore. SIGQUIT starts with the second step.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from typing import Any

import structlog
from celery import signals
from celery.worker import state

log = structlog.get_logger()

HAND_BACK_SECONDS = 10.0
LEAVE_SECONDS = 4.0
REPORT_SECONDS = 1.0
_RUNNING, _LEAVING, _OUT_OF_GRACE = range(3)

_phase: mmap.mmap | None = None


def watch_shutdown() -> None:
    """Called in the parent before it forks: a byte that its children share."""
    global _phase
    _phase = mmap.mmap(-1, 1)
    signals.worker_shutting_down.connect(_note_shutdown, weak=False)


def shutting_down() -> bool:
    """True once the worker is shutting down."""
    return _phase is not None and _phase[0] != _RUNNING


def out_of_grace() -> bool:
    """True once a file that is in work is to be handed back instead of finished."""
    return _phase is not None and _phase[0] == _OUT_OF_GRACE


def steps(grace: float) -> tuple[float, float]:
    """Seconds from the signal to the second step, and from there to the third; both scale with a short grace period."""
    hand_back = max(grace - HAND_BACK_SECONDS, grace / 2)
    return hand_back, max(grace - LEAVE_SECONDS, 0.8 * grace) - hand_back


def _note_shutdown(**_: Any) -> None:
    if _phase is not None and _phase[0] == _RUNNING:
        _phase[0] = _LEAVING


class GracefulShutdown:
    """Takes a Celery ``worker`` through the steps, in the parent of the pool. Signal handlers and a kernel timer
    do it, because the parent's only thread waits for the children meanwhile."""

    def __init__(self, worker: Any, grace: float) -> None:
        self._worker = worker
        self._to_hand_back, self._to_leave = steps(grace)
        self._started = False

    def install(self) -> None:
        """Before the worker starts."""
        signals.worker_shutting_down.connect(self._start, weak=False)
        signal.signal(signal.SIGALRM, self._next)
        # Set at ``worker_ready``, because Celery sets its own handler of SIGQUIT when it starts.
        signals.worker_ready.connect(lambda **_: signal.signal(signal.SIGQUIT, self._hand_back_now), weak=False)

    def _start(self, **_: Any) -> None:
        if not self._started:
            self._started = True
            signal.setitimer(signal.ITIMER_REAL, self._to_hand_back)

    def _hand_back_now(self, *_: Any) -> None:
        if not out_of_grace():
            signals.worker_shutting_down.send(
                sender=self._worker.hostname, sig="SIGQUIT", how="Warm", exitcode=os.EX_OK
            )
            state.should_stop = os.EX_OK
            self._next()

    def _next(self, *_: Any) -> None:
        if _phase is None:
            return
        if _phase[0] != _OUT_OF_GRACE:
            _phase[0] = _OUT_OF_GRACE
            signal.setitimer(signal.ITIMER_REAL, self._to_leave)
        else:
            self._leave()

    def _leave(self) -> None:
        """Exit although tasks are active; does not return. The broker redelivers messages that are not put back now."""
        state.should_terminate = True  # so that no file is counted a strike
        try:
            for process in self._children():
                os.kill(process.pid, signal.SIGKILL)
            left = [request for request in tuple(state.active_requests) if not request.acknowledged]
            deadline = time.monotonic() + REPORT_SECONDS
            for request in left:
                if hasattr(request, "report_lost") and time.monotonic() < deadline:
                    request.report_lost("the grace period is over")
            os.write(2, f"worker: {len(left)} tasks did not end in time and are handed back\n".encode())
            connection = self._worker.consumer.connection
            if connection is not None:
                connection.close()  # Redis: puts back unacknowledged messages. RabbitMQ does so by itself.
        finally:
            os._exit(os.EX_OK)

    def _children(self) -> list[Any]:
        pool = getattr(self._worker.pool, "_pool", None)
        return [process for process in getattr(pool, "_pool", ()) if process.is_alive()]
