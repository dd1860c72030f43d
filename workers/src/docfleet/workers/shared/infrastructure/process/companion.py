"""The companion: a process beside the worker that announces it and answers probes.

A thread is no option: a fork may copy a lock that it holds. The parent's event loop is no option, either: it stands
still while the broker is unavailable and while the last tasks end. So a process is forked before the pool, reads the
vital signs in shared memory, and ends with its parent. When it dies, the parent starts another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any, ClassVar

import structlog
from celery import Celery, bootsteps

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.process.health import HealthServer
from docfleet.workers.shared.infrastructure.process.presence import Presence

log = structlog.get_logger()

CHECK_SECONDS = 5.0
"""How often the worker checks that its companion lives."""
COMPANION = "companion"
"""The name of the process, as ``ps -o comm`` shows it."""
_STANDARD = 3
"""Lower file descriptors are standard input, output and error."""


class Companion:
    """The companion of a worker. Made in its main process, before the pool."""

    def __init__(self, presence: Presence, health: HealthServer | None) -> None:
        """``health`` is None where no probes are answered."""
        self._presence = presence
        self._health = health
        self._pid = 0

    def start(self) -> None:
        """Fork it."""
        self._fork(self._health)

    def _fork(self, health: HealthServer | None) -> None:
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._run(parent, health)
            except Exception:  # the boundary of the process
                log.exception("companion.failed")
            finally:
                os._exit(0)
        if health is not None:
            health.close()

    def _run(self, parent: int, health: HealthServer | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            Path("/proc/self/comm").write_text(COMPANION)
        _close_all_but(None if health is None else health.descriptor)
        if health is not None:
            threading.Thread(target=health.serve, name="health", daemon=True).start()

        def alive() -> bool:
            if os.getppid() == parent:
                return True
            if health is not None:
                health.close()  # the next worker needs the port
            return False

        self._presence.keep(alive)

    def check(self) -> None:
        """Start it again if it died. In the parent; a parent that forks has no other thread."""
        with contextlib.suppress(ChildProcessError):
            if self._pid and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                return
        health = self._health
        if health is not None:
            try:
                health.listen(patience=0.0)
            except ConfigurationError as error:
                # Without probes, but not without a companion: the worker would count as dead.
                log.error("health.not_restarted", error=error.message)
                health = None
        self._fork(health)
        log.warning("companion.restarted", pid=self._pid)

    def stop(self) -> None:
        """End it, so that the next worker finds the port free, and report the end of the worker."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0
        self._presence.end()


class CompanionWatch(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the consumer, because the timer is cleared when the connection to the broker is lost."""

    companion: ClassVar[Companion | None] = None
    requires: ClassVar[tuple[str, ...]] = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:
        """Start to watch the companion."""
        if self.companion is not None:
            parent.timer.call_repeatedly(CHECK_SECONDS, self.companion.check)


def watch_companion(app: Celery, companion: Companion) -> None:
    """Have the worker of ``app`` watch its companion. Called before the worker is made."""
    CompanionWatch.companion = companion
    app.steps["consumer"].add(CompanionWatch)


def _close_all_but(mine: int | None) -> None:
    # File descriptors of the worker: the broker's connection and the pipes of the pool must close when it dies.
    if mine is not None:
        os.closerange(_STANDARD, mine)
    os.closerange(_STANDARD if mine is None else max(mine + 1, _STANDARD), os.sysconf("SC_OPEN_MAX"))
