"""The state of the running task."""

from docfleet.workers.shared.infrastructure.context.state_store import StateStore as StateStore

__all__ = ["StateStore"]
