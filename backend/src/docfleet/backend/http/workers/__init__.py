"""Routes that our workers call, below ``/internal/v1``."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from docfleet.backend.http.workers import executions, health, logs, notifications, presence, schedules, settings, sweep

handlers: list[ControllerRouterHandler] = [
    *health.handlers,
    *executions.handlers,
    *presence.handlers,
    *settings.handlers,
    *notifications.handlers,
    *schedules.handlers,
    *logs.handlers,
    *sweep.handlers,
]
