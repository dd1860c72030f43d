"""Waiting for what happens soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 180.0
"""Enough for a whole fleet on a machine that stalls."""


def until(condition: Callable[[], Any], seconds: float = SECONDS, *, what: str = "it did not happen in time") -> Any:
    """Wait for a true value and return it; fails with ``what`` after so many seconds."""
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, what
        # What takes long is looked for less often: many conditions cost what is waited for its processor.
        time.sleep(min(0.02 + waited / 20, 0.25))
    return value
