"""Task messages as Celery writes them."""

from __future__ import annotations

import uuid
from typing import Any

EMBED: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of a body, after the arguments."""


def envelope(
    task: str, task_id: str | None = None, headers: dict[str, Any] | None = None, **properties: Any
) -> dict[str, Any]:
    """Headers and properties of a task message; without ``task_id`` it has a new one."""
    task_id = task_id or str(uuid.uuid4())
    own = {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "parent_id": None, "group": None}
    return {
        "headers": {**own, "argsrepr": "", "kwargsrepr": "", "retries": 0, **(headers or {})},
        "correlation_id": task_id,
        **properties,
    }
