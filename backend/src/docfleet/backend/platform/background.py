"""Work that a request asks for and does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Background:
    """A thread of the backend that runs ``action`` after each ``wake``; several wakes during a run lead to one more.

    It starts with the first wake. An action that raises is logged, and the next wake runs it again.
    """

    def __init__(self, name: str, action: Callable[[], object]) -> None:
        self._name = name
        self._action = action
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There may be something to do."""
        self._due.set()
        with self._lock:
            if self._thread is None and not self._over:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        with self._lock:
            self._over = True
            thread = self._thread
        self._due.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._over:
                return
            try:
                self._action()
            except Exception:  # the boundary of the thread: the next wake tries again
                log.exception("background.failed", work=self._name)
