"""A generic webhook: the original's body and headers, signed after the Standard Webhooks specification."""

from __future__ import annotations

import base64
import binascii
import re
import time
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from docfleet.core.outbound import Outbound
from docfleet.providers.base import NotificationBatch, Provider, check_header, check_url, target_of
from docfleet.providers.envelope import envelope
from docfleet.providers.http import post

SECRET_PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_HEADERS = frozenset(
    {"host", "content-type", "content-length", "connection", "transfer-encoding", "idempotency-key"}
)

AuthType = Literal["NONE", "BEARER", "API_KEY", "CUSTOM_HEADER"]


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The URL, the authentication (one of the original's four ways), and the signing secret (``whsec_...``)."""

    url: str
    auth_type: AuthType = "NONE"
    auth_key: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    auth_header: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    signing_secret: str | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        check_header(self.auth_key or "", "auth_key")
        if (self.auth_type == "NONE") is not (not self.auth_key):
            raise ValueError("auth_type and auth_key go together: give both, or none of them")
        if (self.auth_type == "CUSTOM_HEADER") is not (self.auth_header is not None):
            raise ValueError("auth_header is the name of the header for auth_type CUSTOM_HEADER, and only for it")
        if self.auth_header is not None:
            ours = self.auth_header.lower() in RESERVED_HEADERS or self.auth_header.lower().startswith("webhook-")
            if ours or not _TOKEN.fullmatch(self.auth_header):
                raise ValueError("auth_header is not a name that may be used for a header")
        if self.signing_secret is not None:
            secret_bytes(self.signing_secret)


class Webhook(Provider):
    """POSTs JSON. ``webhook-id`` and ``Idempotency-Key`` are the same in every attempt."""

    settings_type = WebhookSettings
    secrets: ClassVar[frozenset[str]] = frozenset({"url", "auth_key", "signing_secret"})

    @property
    def target(self) -> str:
        """Its host and port."""
        return target_of(self.settings.url)

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``."""
        body = msgspec.json.encode(envelope(batch))
        headers = {**authorization(self.settings), **signed(batch.id, body, self.settings.signing_secret)}
        post(self.settings.url, body, {"Content-Type": "application/json", **headers}, outbound)


def authorization(settings: WebhookSettings) -> dict[str, str]:
    """The header of each of the original's four ways."""
    key = settings.auth_key or ""
    match settings.auth_type:
        case "BEARER":
            return {"Authorization": f"Bearer {key}"}
        case "API_KEY":
            return {"Authorization": key}
        case "CUSTOM_HEADER":
            return {settings.auth_header or "": key}
        case _:
            return {}


def signed(message_id: str, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of Standard Webhooks, and the idempotency key, for an attempt that starts now."""
    at = str(int(time.time()))
    headers = {"webhook-id": message_id, "webhook-timestamp": at, "Idempotency-Key": message_id}
    return headers | ({"webhook-signature": signature(secret, message_id, at, body)} if secret else {})


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and a signature over id, time and body."""
    from standardwebhooks import Webhook as StandardWebhook

    return StandardWebhook(secret).sign(message_id, datetime.fromtimestamp(int(timestamp), UTC), body.decode())


def secret_bytes(secret: str) -> bytes:
    """The key of ``whsec_`` and base64. Raises ``ValueError``."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError(
            "signing_secret has to be whsec_ and 24 to 64 random bytes in base64, for example "
            '"whsec_$(openssl rand -base64 32)"'
        )
    return key
