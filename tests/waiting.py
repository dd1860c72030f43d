"""Waiting for what happens soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 180.0
"""Enough for a whole fleet on a machine that stalls."""


def until(condition: Callable[[], Any], seconds: float = SECONDS, *, what: str = "it did not happen in time") -> Any:
    """Wait for a true value and return it; fails with ``what`` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value
