"""Ctrl-C, SIGTERM and a closed terminal: the first requests a stop, the second ends everything at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from docfleet.core.exit_codes import ExitCode

_SHOW_CURSOR = b"\x1b[?25h\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While entered, signals are counted and do not raise. The second one calls ``on_second`` and ends the process."""

    def __init__(self) -> None:
        self.on_second: Callable[[], None] = lambda: None
        self._count = 0
        self._before: dict[int, Any] = {}

    def requested(self) -> bool:
        """True once the user has requested a stop."""
        return self._count > 0

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            self.on_second()
            for stream in (1, 2):
                if os.isatty(stream):
                    os.write(stream, _SHOW_CURSOR)  # a progress bar hides it
            os._exit(ExitCode.INTERRUPTED)
