"""Celery beat inside a worker: a process of its own that must neither outlive the worker nor die unnoticed."""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, bootsteps, platforms, signals
from celery.worker import state

from docfleet.core.exit_codes import ExitCode

log = structlog.get_logger()

CHECK_SECONDS = 5.0


class BeatWatch(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the consumer, because the timer is cleared when the connection to the broker is lost."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:
        """Start to watch beat."""
        parent.timer.call_repeatedly(CHECK_SECONDS, check_beat, (parent.controller,))


def watch_beat(app: Celery) -> None:
    """Called in the parent before beat is forked."""
    app.steps["consumer"].add(BeatWatch)
    signals.beat_embedded_init.connect(_die_with_parent, weak=False)


def check_beat(worker: Any) -> None:
    """End the ``worker`` when its beat is dead: without beat there are no sweeps."""
    beat = worker.beat
    if beat is not None and not beat.is_alive() and state.should_stop in (None, False):
        log.error("beat.died", exit_code=beat.exitcode)
        state.should_stop = ExitCode.BEAT_DIED


def _die_with_parent(**_: Any) -> None:
    platforms.set_pdeathsig("SIGKILL")
    if os.getppid() == 1:
        os._exit(1)
    log.info("beat.started", pid=os.getpid())
