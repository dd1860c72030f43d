"""Every Redis key of the workers. The organization is part of each one, so no entry is seen by another."""

from __future__ import annotations

from urllib.parse import quote

PREFIX = "worker_cache"


def cache_key(kind: str, organization_id: str, *parts: str) -> str:
    """``worker_cache:{kind}:{organization}:{part}…``; parts are quoted, so none can contain a separator."""
    return ":".join((PREFIX, kind, *(quote(part, safe="") for part in (organization_id, *parts))))
