"""One call of the backend from a process that has no clients: the parent of the pool, and its companion."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import msgspec

from docfleet.workers.shared.infrastructure.process.process_settings import settings


class Refused(Exception):
    """The backend answered, and not with 200."""


def post(path: str, message: msgspec.Struct, *, seconds: float, organization_id: str | None = None) -> bytes:
    """Send ``message`` to ``path`` below ``/internal``, on a connection of its own. Returns the body of the answer.

    ``seconds`` limits each wait. Raises ``OSError``, ``http.client.HTTPException``, ``Refused``.
    """
    url = urlsplit(f"{settings().internal_api_base_url.rstrip('/')}/{path}")
    headers = {
        "Authorization": f"Bearer {settings().internal_service_api_key}",
        "Content-Type": "application/json",
    }
    if organization_id is not None:
        headers["X-Organization-ID"] = organization_id
    make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=seconds)
    try:
        connection.request("POST", url.path, msgspec.json.encode(message), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise Refused(f"the backend answered {answer.status}")
        return body
    finally:
        connection.close()
