"""What the clients of the internal API share: the organization on every call, typed answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from docfleet.core.errors import BackendUnavailable
from docfleet.workers.shared.clients.transport import Transport


class BackendClient:
    """A client bound to one organization. Holds no state but that."""

    def __init__(self, transport: Transport, organization_id: str) -> None:
        self.organization_id = organization_id
        self._transport = transport

    def _call[T](
        self,
        answer: type[T],
        method: str,
        path: str,
        body: Any = None,
        *,
        final: bool = False,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> T:
        """Call ``path`` below ``/internal`` and decode the answer."""
        raw = self._transport.request(
            method,
            path,
            body=body,
            final=final,
            timeout=timeout,
            headers={"X-Organization-ID": self.organization_id, **(headers or {})},
        )
        try:
            return msgspec.json.decode(raw, type=answer)
        except msgspec.DecodeError as error:
            raise BackendUnavailable(f"the backend's answer to {path} cannot be read: {error}") from error
