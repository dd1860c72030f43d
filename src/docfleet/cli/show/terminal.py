"""Standard output as it is: of any encoding and width, and perhaps closed by its reader."""

from __future__ import annotations

import codecs
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_ESCAPE = "docfleet.escape"
_PLAIN = str.maketrans({0x2026: "...", 0x2013: "-", 0x2014: "-", 0x2212: "-"})
"""Ellipsis, dashes and minus: what our own words and tables have beyond ASCII."""
MIN_WIDTH = 20
"""Columns that a table needs. A narrower terminal wraps its lines."""


def prepare() -> None:
    """Let standard output and error take every character: one that their encoding lacks is written ``\\uXXXX``, as in
    JSON."""
    codecs.register_error(_ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's stream has none
        if reconfigure is not None and stream.errors != "surrogateescape":
            reconfigure(errors=_ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def is_unicode(stream: TextIO) -> bool:
    """Whether the stream takes every character as it is."""
    return (stream.encoding or "ascii").lower().replace("_", "-").startswith("utf")


def as_json(value: Any, indent: int | None = 2) -> str:
    """``value`` for standard output, in any encoding the same JSON."""
    return json.dumps(value, indent=indent, ensure_ascii=not is_unicode(sys.stdout))


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or error. It goes on without a reader: what it reports on is done all the same."""
    from rich.console import Console  # not for commands that print plain lines

    stream = _Stream(sys.stderr if stderr else sys.stdout)
    made = Console(file=stream)  # type: ignore[arg-type]
    if made.width < MIN_WIDTH:
        made.width = MIN_WIDTH
    return made


class _Stream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_unicode = is_unicode(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text if self._is_unicode else text.translate(_PLAIN))
        except BrokenPipeError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            discard(self._stream)


def discard(stream: TextIO) -> None:
    """Send to nowhere what is still written to a stream whose reader is gone, at the end of the process, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def finish() -> None:
    """Write what is buffered; without a reader, nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            discard(stream)
