"""SMS over the HTTP API of Twilio, which other services offer, too."""

from __future__ import annotations

import base64
import re
from typing import Annotated, ClassVar
from urllib.parse import urlencode

import msgspec

from docfleet.core.names import QueueName
from docfleet.core.outbound import Outbound
from docfleet.providers.base import NotificationBatch, Provider, check_header, check_url, target_of
from docfleet.providers.envelope import headline, line
from docfleet.providers.http import base_url, post

MAX_TEXT_LENGTH = 480
"""The most characters of a text: three messages on a phone."""
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,64}")
Number = Annotated[str, msgspec.Meta(pattern=r"^\+?[A-Za-z0-9 ]{2,20}$")]


class SmsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The account, the ``sender`` (a number or a name) and the ``recipient`` (one number, because a repeat after a
    partial failure would reach some of several twice)."""

    account_sid: str
    auth_token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    sender: Number
    recipient: Number
    url: str = "https://api.twilio.com"

    def __post_init__(self) -> None:
        check_url(self.url)
        check_header(self.auth_token, "auth_token")
        if not _ACCOUNT.fullmatch(self.account_sid):
            raise ValueError("account_sid has to be letters and digits")


class Sms(Provider):
    """One message per batch."""

    settings_type = SmsSettings
    secrets: ClassVar[frozenset[str]] = frozenset({"auth_token"})
    queue = QueueName.NOTIFICATIONS_SMS

    @property
    def target(self) -> str:
        """Its host and port."""
        return target_of(self.settings.url)

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``."""
        settings: SmsSettings = self.settings
        login = base64.b64encode(f"{settings.account_sid}:{settings.auth_token}".encode()).decode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {login}",
            "Idempotency-Key": batch.id,
        }
        body = urlencode({"From": settings.sender, "To": settings.recipient, "Body": text(batch)}).encode()
        url = f"{base_url(settings.url)}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        post(url, body, headers, outbound)


def text(batch: NotificationBatch) -> str:
    """The text of the message."""
    message = line(batch.events[0]) if len(batch.events) == 1 else headline(batch)
    return message if len(message) <= MAX_TEXT_LENGTH else message[: MAX_TEXT_LENGTH - 1] + "…"
