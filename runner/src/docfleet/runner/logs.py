"""Logs: the runner's own, and what tools print."""

from __future__ import annotations

import time
from collections import deque

import structlog

from docfleet.core.runs import RunLine
from docfleet.tools.protocol import (
    LogMessage,
    ProgressMessage,
    SingleStepMessage,
    ToolLogLevel,
    UpdateMessage,
    parse_line,
)

KEPT_BYTES = 1024**2
"""The most bytes that are kept of one run's output; the rest is only counted."""

TAIL_BYTES = 64 * 1024
"""The end of the rest is kept, too: the last lines of a tool matter most."""

_FORWARDED_LINES = 500
PUBLISHED_LINES = 100
PUBLISHED_BYTES = 16 * 1024
"""The most lines that a run publishes to its users; one more line reports that there were more."""

_MORE = "the tool wrote more lines; only the log of the runner has them"

log = structlog.get_logger("docfleet.runner")


class Output:
    """The output of one run, as it arrives; ``context`` is logged with each line.

    LOG lines go to the log as ``tool.log``; they never decide anything, but the last ERROR line explains a failure.
    """

    def __init__(self, **context: str) -> None:
        self._context = {key: value for key, value in context.items() if value}
        self._partial = b""
        self._kept = 0
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._forwarded = 0
        self._last_error: LogMessage | None = None
        self._last_text = ""
        self.total_bytes = 0
        self.pages_done = 0
        self.pages_total = 0
        """The pages that the tool reported; 0 where it reports none."""
        self.lines: list[RunLine] = []
        """The lines that users see."""
        self._published_bytes = 0

    def feed(self, data: bytes) -> None:
        """Process what was read from the pipe."""
        self.total_bytes += len(data)
        if self._kept >= KEPT_BYTES:
            self._feed_tail(data)
            return
        self._kept += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._take(line)

    def _feed_tail(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    def finish(self) -> None:
        """Process what is left when the pipe has ended."""
        rest = self._partial + b"".join(self._tail)
        if self._tail:
            rest = rest[-TAIL_BYTES:]
            log.warning("tool.output_cut", **self._context, total_bytes=self.total_bytes)
        self._partial = b""
        self._tail.clear()
        for line in rest.split(b"\n"):
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        message = parse_line(line)
        if message is None:
            self._last_text = line[:2000].decode("utf-8", "replace").strip()
        elif isinstance(message, LogMessage):
            if message.level.rank >= ToolLogLevel.ERROR.rank:
                self._last_error = message
            self._forward(message)
            if message.level.rank >= ToolLogLevel.INFO.rank:
                self._publish(message.log, level=message.level.value)
        elif isinstance(message, UpdateMessage):
            self._publish(message.message, state=message.state)
        elif isinstance(message, SingleStepMessage):
            self._publish(message.message)
        elif isinstance(message, ProgressMessage):
            self.pages_done, self.pages_total = max(self.pages_done, message.done), message.total

    def _forward(self, message: LogMessage) -> None:
        self._forwarded += 1
        if self._forwarded <= _FORWARDED_LINES:
            forward = log.debug if message.level.rank < ToolLogLevel.WARN.rank else log.info
            forward("tool.log", **self._context, tool_level=message.level.value, text=message.log[:2000])

    def _publish(self, text: str, **more: str) -> None:
        text = text[:2000]
        self._published_bytes += len(text)
        if len(self.lines) < PUBLISHED_LINES and self._published_bytes <= PUBLISHED_BYTES:
            self.lines.append(RunLine(timestamp=time.time(), text=text, **more))
        elif not self.lines or self.lines[-1].text != _MORE:
            self.lines.append(RunLine(timestamp=time.time(), text=_MORE, level=ToolLogLevel.WARN.value))

    @property
    def error(self) -> LogMessage | None:
        """The last line of level ERROR or FATAL."""
        return self._last_error

    @property
    def last_text(self) -> str:
        """The last line that is no protocol line, at most 2000 bytes of it."""
        return self._last_text
