"""``StateStore`` holds the context of a task."""

from __future__ import annotations

from docfleet.workers.shared.infrastructure.context.state_store import StateStore


def test_the_facade() -> None:
    with StateStore.scope():
        StateStore.set("a", 1)
        StateStore.set("b", 2)
        StateStore.clear("a")
        assert StateStore.snapshot() == {"b": 2}
        assert StateStore.get("a", "default") == "default"
        StateStore.clear_all()
        assert StateStore.snapshot() == {}
