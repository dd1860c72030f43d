"""What the peers of one listener may take."""

from __future__ import annotations

import msgspec


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one listener. Sizes are bytes, times are seconds."""

    connections: int = 1000
    """Open connections. Beyond, the one that has waited longest for a request of its peer is closed."""
    header_bytes: int = 32 * 1024
    """Request line and headers of one request, and any part of a request that is not complete."""
    header_count: int = 100
    """Headers of one request, trailers included."""
    header_seconds: float = 10.0
    """From the connection, or from the answer before, until the headers of a request are complete."""
    body_seconds: float = 90.0
    """In which ``body_bytes`` of a body have to arrive while the application waits for it. Longer than what a route
    grants that has an answer of its own for a silent caller."""
    body_bytes: int = 1024
    """The progress that a body has to make in ``body_seconds``."""
    answer_seconds: float = 60.0
    """In which the peer has to take something of an answer."""
    linger_seconds: float = 2.0
    """In which a refused peer may read why. What it still sends is dropped."""
    pipelined: int = 16
    """Requests of one connection that wait for the one before."""


DESCRIPTORS_PER_CONNECTION = 2
"""A connection, and the file that its upload is written to."""
DESCRIPTORS_BESIDE = 256
"""Databases, brokers, logs, the event loop."""
