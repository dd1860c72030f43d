"""Settings of an organization."""

from __future__ import annotations

from typing import Any

from docfleet.workers.shared.cache.decorators import Cache, cached
from docfleet.workers.shared.clients.base import BackendClient
from docfleet.workers.shared.clients.transport import Transport

CONFIGURATION_TTL_SECONDS = 60


class OrganizationClient(BackendClient):
    """One organization's configuration."""

    def __init__(self, transport: Transport, organization_id: str, cache: Cache) -> None:
        super().__init__(transport, organization_id)
        self.cache = cache

    @cached("configuration", CONFIGURATION_TTL_SECONDS)
    def configuration(self, name: str) -> Any:
        """The value of a setting, ``None`` where neither the organization nor the backend sets it. A change
        is seen after at most a minute."""
        answer = self._call(dict[str, Any], "GET", f"v1/configuration/{name}/")
        return (answer.get("data") or {}).get("value")
