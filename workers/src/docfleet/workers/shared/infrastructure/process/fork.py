"""Fork safety.

The parent of a pool holds no client, channel or thread of ours: clients are made lazily inside tasks and
belong to the process that made them (``per_process``). (``launch`` sets gRPC's fork support before gRPC is imported.)
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from typing import Any

import structlog
from celery import signals

from docfleet.core.faults import is_armed, point

log = structlog.get_logger()


class per_process[T]:  # noqa: N801 - reads as a decorator
    """A value made on first use in each process, and made again after a fork.

    ``@per_process`` on a function without arguments; ``.reset()`` forgets the value without closing it, because
    after a fork its sockets belong to the parent.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[int, T] | None = None

    def __call__(self) -> T:
        """The value of this process."""
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self._make())
        return self._made[1]

    @property
    def is_made(self) -> bool:
        """Whether this process has one."""
        return self._made is not None and self._made[0] == os.getpid()

    def reset(self) -> None:
        """Forget the value."""
        self._made = None


def install_signals() -> None:
    """Hook into the life of pool children."""
    signals.worker_process_init.connect(_after_fork, weak=False)
    if is_armed():
        signals.before_task_publish.connect(_about_to_publish, weak=False)


def _about_to_publish(sender: str = "", **_: Any) -> None:
    point("message.publish", sender)


def freeze_before_fork() -> None:
    """Called in the parent when everything is imported and nothing is forked yet."""
    _load_parser_of_billiard()
    # Objects of the parent are hidden from the garbage collector, so that their pages remain shared.
    gc.collect()
    gc.freeze()


def _load_parser_of_billiard() -> None:
    # billiard requests a signal at its parent's death through cffi, whose C parser is 5 MB and 0.1 s in each child.
    try:
        from cffi import FFI
    except ImportError:
        return
    FFI().cdef("int prctl(int option, ...);")


def _after_fork(**_: Any) -> None:
    # Init systems send SIGTERM to the entire process group. The parent leads the shutdown; a child finishes its task.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.collect()
    log.debug("pool.child_started", pid=os.getpid())
