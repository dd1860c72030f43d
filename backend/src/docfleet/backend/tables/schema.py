"""All tables: importing this module fills ``metadata``."""

from __future__ import annotations

from docfleet.backend.platform.db import metadata
from docfleet.backend.tables import (
    connectors,
    deployments,
    executions,
    files,
    keys,
    logs,
    notifications,
    organizations,
    pipelines,
    schedules,
    tools,
    usage,
    workers,
    workflows,
)

__all__ = [
    "connectors",
    "deployments",
    "executions",
    "files",
    "keys",
    "logs",
    "metadata",
    "notifications",
    "organizations",
    "pipelines",
    "schedules",
    "tools",
    "usage",
    "workers",
    "workflows",
]
