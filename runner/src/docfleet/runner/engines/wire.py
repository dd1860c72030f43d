"""Messages between the runner and a zygote: one JSON object per line over a stream socket.

Every ``StartRun`` is sent together with exactly one file descriptor, the write end of the pipe that takes the
run's standard output and error. Descriptors arrive in the order of their messages.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from docfleet.core.runs import RunLimits

CONTROL_BYTES = 64 * 1024
"""The most bytes of one read of the socket. Messages are far smaller: large data is in the run's folder."""

Breach = Literal["wall", "memory", "processes", "output"]
"""The limit for which a run was killed."""


class StartRun(msgspec.Struct, tag="start", tag_field="say", kw_only=True):
    """Run the tool in ``root`` (layout: ``working.WorkingFolder``). ``command`` is empty for a Python tool.

    ``input_bytes`` is what the runner itself put into the folder: it does not count as output.
    """

    run_id: str
    root: str
    limits: RunLimits
    input_bytes: int = 0
    log_level: str = "INFO"
    command: list[str] = []


class KillRun(msgspec.Struct, tag="kill", tag_field="say", kw_only=True):
    """Kill the run's process group; harmless when it has ended."""

    run_id: str
    breach: Breach | None = None


class Ready(msgspec.Struct, tag="ready", tag_field="say", kw_only=True):
    """The zygote has imported its tool. More than one of ``threads`` is a fault of the tool's ``preload``."""

    threads: int = 1


class Unusable(msgspec.Struct, tag="unusable", tag_field="say", kw_only=True):
    """The zygote cannot import its tool and ends."""

    error: str


class RunEnded(msgspec.Struct, tag="ended", tag_field="say", kw_only=True):
    """The run's process has ended, and so has everything it started. Seconds and bytes."""

    run_id: str
    exit_code: int | None
    signal: int | None
    breach: Breach | None = None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    strays: int = 0
    error_number: int | None = None
    """The number of the error for which no process could be started."""


Order = StartRun | KillRun
Report = Ready | Unusable | RunEnded

order_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
report_decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_encoder = msgspec.json.Encoder()


def encode(message: Order | Report) -> bytes:
    """The message as one line."""
    return _encoder.encode(message) + b"\n"
