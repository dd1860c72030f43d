"""Logs: the runner's own, and what tools print."""

from __future__ import annotations

import time
from collections import deque

import structlog

from docfleet.core.runs import RunLine
from docfleet.tools.protocol import LogLevel, LogMessage, SingleStepMessage, UpdateMessage, parse_line

KEPT_BYTES = 1024**2
"""What is kept of one run's output; the rest is counted."""

TAIL_BYTES = 64 * 1024
"""Of the rest, the end is kept as well: a tool's last words are the ones that matter."""

_FORWARDED_LINES = 500
TOLD_LINES = 100
TOLD_BYTES = 16 * 1024
"""Of one run's lines, so many go to its users with the answer; then one says that there were more."""

_MORE = "the tool said more; only the log of the runner has it"

log = structlog.get_logger("docfleet.runner")


class Output:
    """The output of one run, as it comes; ``context`` goes with each line to the log.

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
        self.lines: list[RunLine] = []
        """What users are told."""
        self._told = 0

    def feed(self, data: bytes) -> None:
        """Take what was read from the pipe."""
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
        """Take what is left when the pipe has ended."""
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
            if message.level.rank >= LogLevel.ERROR.rank:
                self._last_error = message
            self._forward(message)
            if message.level.rank >= LogLevel.INFO.rank:
                self._tell(message.log, level=message.level.value)
        elif isinstance(message, UpdateMessage):
            self._tell(message.message, state=message.state)
        elif isinstance(message, SingleStepMessage):
            self._tell(message.message)

    def _forward(self, message: LogMessage) -> None:
        self._forwarded += 1
        if self._forwarded <= _FORWARDED_LINES:
            forward = log.debug if message.level.rank < LogLevel.WARN.rank else log.info
            forward("tool.log", **self._context, tool_level=message.level.value, text=message.log[:2000])

    def _tell(self, text: str, **more: str) -> None:
        text = text[:2000]
        self._told += len(text)
        if len(self.lines) < TOLD_LINES and self._told <= TOLD_BYTES:
            self.lines.append(RunLine(timestamp=time.time(), text=text, **more))
        elif not self.lines or self.lines[-1].text != _MORE:
            self.lines.append(RunLine(timestamp=time.time(), text=_MORE, level=LogLevel.WARN.value))

    @property
    def error(self) -> LogMessage | None:
        """The last line of level ERROR or FATAL."""
        return self._last_error

    @property
    def last_text(self) -> str:
        """The last line that is no protocol line, at most 2000 bytes of it."""
        return self._last_text
