"""``StateStore``: the state of the running task (organization, execution, log channel).

A facade over ``contextvars``. ``ContextTask`` binds it before every task and clears it in ``finally``, so
no task sees values of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ORGANIZATION_ID = "ORGANIZATION_ID"
EXECUTION_ID = "EXECUTION_ID"
LOG_EVENTS_ID = "LOG_EVENTS_ID"

_state: ContextVar[dict[str, Any] | None] = ContextVar("docfleet_state", default=None)


class StateStore:
    """Values of the current task, by key. One store per task, thread or coroutine."""

    @staticmethod
    def get(key: str, default: Any = None) -> Any:
        """The value of ``key`` in this task."""
        return (_state.get() or {}).get(key, default)

    @staticmethod
    def set(key: str, value: Any) -> None:
        """Set ``key`` for the rest of this task."""
        # A new dict each time: a context copied earlier (a thread) must not see later changes.
        _state.set({**(_state.get() or {}), key: value})

    @staticmethod
    def clear(key: str) -> None:
        """Forget one key."""
        _state.set({name: value for name, value in (_state.get() or {}).items() if name != key})

    @staticmethod
    def clear_all() -> None:
        """Forget everything."""
        _state.set(None)

    @staticmethod
    def snapshot() -> dict[str, Any]:
        """A copy of what is set."""
        return dict(_state.get() or {})

    @staticmethod
    @contextmanager
    def scope() -> Iterator[None]:
        """An empty store for the block; whatever it sets is gone afterwards, however it ends."""
        StateStore.clear_all()
        try:
            yield
        finally:
            StateStore.clear_all()
