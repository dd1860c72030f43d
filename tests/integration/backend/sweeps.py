"""A sweep, as the scheduler requests it."""

from __future__ import annotations

from typing import Any

SWEEP = "/internal/v1/sweep/"


def sweep(api: Any) -> dict[str, int]:
    api.recorder.sent.clear()
    return dict(api.post(SWEEP))
