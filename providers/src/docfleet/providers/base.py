"""A provider of notifications: its settings, its target, and one attempt to send.

A provider is a subclass of ``Provider`` under the entry point group ``docfleet.notifications``. The backend makes one
to check settings, the notification worker makes one to send. Retries, breaker and dead letters are handled elsewhere.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, cast, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

from docfleet.core.errors import ConfigurationError, DestinationRejected, DestinationUnavailable
from docfleet.core.names import QueueName
from docfleet.core.notify import EventData
from docfleet.core.outbound import Outbound

MAX_URL_LENGTH = 2048
_PORTS = {"http": 80, "https": 443}


class TargetUnavailable(DestinationUnavailable):
    """The target did not accept it; the same attempt may succeed later.

    ``retry_after``: the seconds it requests to wait. ``answered``: the host answered with a temporary refusal (429,
    408, 425), which does not count as a failure of the host.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, answered: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.answered = answered


class TargetRejected(DestinationRejected):
    """The target will never accept this."""


class NotificationBatch(msgspec.Struct, frozen=True):
    """The events of one message, at least one. ``id`` is the same in every attempt."""

    id: str
    events: list[EventData]

    @property
    def failed(self) -> int:
        """How many of the events are failures."""
        return sum(event.is_failure for event in self.events)


class Provider(ABC):
    """One target, made from the settings of a notification. ``secrets`` are the settings that are never shown."""

    settings_type: ClassVar[type[msgspec.Struct]]
    secrets: ClassVar[frozenset[str]] = frozenset()
    queue: ClassVar[QueueName] = QueueName.NOTIFICATIONS_WEBHOOK

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Raises ``ConfigurationError`` naming the setting at fault; the message holds no value of one."""
        try:
            self.settings: Any = msgspec.convert(dict(settings), self.settings_type)
        except msgspec.ValidationError as error:
            raise ConfigurationError(_fault(error, self.settings_type)) from None

    @property
    @abstractmethod
    def target(self) -> str | None:
        """``host:port`` that is contacted, which holds no secret; None where nothing is contacted."""

    @abstractmethod
    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """One attempt, within the seconds of ``outbound`` and to no address it does not permit.

        Raises ``TargetUnavailable`` or ``TargetRejected``.
        """


def _fault(error: msgspec.ValidationError, settings_type: type[msgspec.Struct]) -> str:
    """The fault without the value: a secret that was given for another setting is still a secret."""
    text = str(error)
    if not text.startswith("Invalid "):  # only these faults show a value
        return text.replace("`$.", "`")
    setting = text.rpartition("`$.")[2].rstrip("`")
    known = {field.encode_name: get_args(field.type) for field in msgspec.structs.fields(settings_type)}
    words = ", ".join(word for word in known.get(setting, ()) if isinstance(word, str))
    return f"`{setting}` has to be one of {words}" if words else f"`{setting}` has a value that is not known"


def check_url(url: str, setting: str = "url") -> SplitResult:
    """The parts of a target's URL. Raises ``ValueError`` that names the setting and not the URL, which is a secret."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    plain = url.isascii() and not any(ord(character) <= 32 or character == "\x7f" for character in url)
    if not known or not plain or len(url) > MAX_URL_LENGTH:
        raise ValueError(f"{setting} has to begin with http:// or https:// and a host, encoded as URLs are")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{setting} holds a user: give credentials as settings of their own")
    return parts


def host_and_port(parts: SplitResult) -> tuple[str, int]:
    """Host and port of a checked URL."""
    return cast("str", parts.hostname).lower(), parts.port or _PORTS[parts.scheme]


def target_of(url: str) -> str:
    """``host:port`` of a checked URL."""
    host, port = host_and_port(urlsplit(url))
    return f"{host}:{port}"


def check_header(value: str, setting: str) -> None:
    """Raise ``ValueError`` for what cannot be the value of a header."""
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{setting} has characters that no header may have: copy it again")


def message_id(batch: NotificationBatch) -> str:
    """The batch's id as a UUID's hex digits."""
    return uuid.UUID(batch.id).hex
