"""Chats with an incoming webhook: Slack and Microsoft Teams."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from docfleet.core.outbound import Outbound
from docfleet.providers.base import NotificationBatch, Provider, check_url, target_of
from docfleet.providers.envelope import MAX_LINES, headline, line, slack_text
from docfleet.providers.http import post

_CARD = "application/vnd.microsoft.card.adaptive"
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


class ChatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The URL of the incoming webhook. It is a secret: it lets its holder write to the channel."""

    url: str

    def __post_init__(self) -> None:
        check_url(self.url)


class _Chat(Provider):
    settings_type = ChatSettings
    secrets: ClassVar[frozenset[str]] = frozenset({"url"})

    @property
    def target(self) -> str:
        """Its host and port."""
        return target_of(self.settings.url)

    def _post(self, batch: NotificationBatch, body: dict[str, Any], outbound: Outbound) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": batch.id}
        post(self.settings.url, msgspec.json.encode(body), headers, outbound)


class Slack(_Chat):
    """A message in the original's format."""

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``."""
        self._post(batch, {"text": slack_text(batch)}, outbound)


class Teams(_Chat):
    """An Adaptive Card."""

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``."""
        self._post(batch, card(batch), outbound)


def card(batch: NotificationBatch) -> dict[str, Any]:
    """The card in the message that a Teams workflow takes. Its texts are runs, which have no markup."""
    lines = [line(event) for event in batch.events[:MAX_LINES]]
    if len(batch.events) > MAX_LINES:
        lines.append(f"… and {len(batch.events) - MAX_LINES} more executions")
    texts = [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]} for text in lines]
    title = {"type": "TextBlock", "text": headline(batch), "weight": "Bolder", "wrap": True}
    content = {"type": "AdaptiveCard", "$schema": _SCHEMA, "version": "1.4", "body": [title, *texts]}
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": content}]}
