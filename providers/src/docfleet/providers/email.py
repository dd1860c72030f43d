"""E-mail over SMTP."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import structlog

from docfleet.core.names import QueueName
from docfleet.core.outbound import DeadlineStream, ForbiddenAddress, Outbound, left
from docfleet.providers.base import NotificationBatch, Provider, TargetRejected, TargetUnavailable, message_id
from docfleet.providers.envelope import headline, line
from docfleet.providers.http import forbidden

log = structlog.get_logger(__name__)

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_MAIL = re.compile(r"[^@\s<>,;\"\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,253}")
Secret = Annotated[str, msgspec.Meta(max_length=1000)]


class EmailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server, the sender and the recipients. ``security`` none sends everything unencrypted, so no password may be
    given with it."""

    host: str
    sender: str
    recipients: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Secret | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError("host is not the name of a server")
        for address in (self.sender, *self.recipients):
            if not address.isascii() or not _MAIL.fullmatch(address):
                raise ValueError("sender and recipients have to be plain addresses, as in person@example.org")
        if (self.username is None) is not (self.password is None):
            raise ValueError("username and password go together: give both, or none of them")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent without encryption: set security to starttls or tls")


class Email(Provider):
    """One mail per batch; a repeat has the same ``Message-ID``."""

    settings_type = EmailSettings
    secrets: ClassVar[frozenset[str]] = frozenset({"password"})
    queue = QueueName.NOTIFICATIONS_EMAIL

    @property
    def target(self) -> str:
        """Its host and port."""
        return f"{self.settings.host.lower()}:{self._port}"

    @property
    def _port(self) -> int:
        return self.settings.port or _PORTS[self.settings.security]

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``. A mail that the server accepted for some of the recipients counts as delivered."""
        try:
            refused = self._send(mail(batch, self.settings), outbound)
        except ForbiddenAddress:
            raise TargetRejected(forbidden(self.settings.host)) from None
        except TimeoutError:
            raise TargetUnavailable(f"{self.target} did not answer within {outbound.seconds:g} s") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = [answer[0] for answer in error.recipients.values()]
            raise self._refused(min(codes, default=550), "refuses every recipient") from None
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, "refuses the mail") from None
        except smtplib.SMTPNotSupportedError:
            raise TargetRejected(f"{self.target} does not offer what the settings require (login, STARTTLS)") from None
        except (OSError, UnicodeError) as error:
            raise TargetUnavailable(f"{self.target} does not answer: {type(error).__name__}") from None
        if refused:
            log.warning("notification.recipients_refused", batch_id=batch.id, refused=len(refused))

    def _refused(self, code: int, what: str) -> TargetUnavailable | TargetRejected:
        message = f"{self.target} {what} ({code})"
        return TargetRejected(message) if code >= 500 else TargetUnavailable(message, answered=True)

    def _send(self, message: EmailMessage, outbound: Outbound) -> dict[str, Any]:
        settings: EmailSettings = self.settings
        context = ssl.create_default_context(cafile=outbound.ca_file)
        server = _GuardedSmtp(outbound, settings.host if settings.security == "tls" else None, context)
        try:
            server.connect(settings.host, self._port)
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.username is not None:
                server.login(settings.username, settings.password or "")
            refused: dict[str, Any] = server.send_message(message, settings.sender, settings.recipients)
            return refused
        finally:
            server.close()


class _GuardedSmtp(smtplib.SMTP):
    """SMTP over a connection to a permitted address, all of it within the time limit."""

    def __init__(self, outbound: Outbound, tls_host: str | None, context: ssl.SSLContext) -> None:
        self._outbound = outbound
        self._deadline = time.monotonic() + outbound.seconds
        self._tls_host = tls_host
        self._context = context
        super().__init__(local_hostname="localhost", timeout=outbound.seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._outbound.connect(host, port, self._deadline)
        # STARTTLS checks the certificate against this.
        self._host = host
        plain.settimeout(left(self._deadline))
        if self._tls_host is None:
            return plain
        return self._context.wrap_socket(plain, server_hostname=self._tls_host)

    def getreply(self) -> tuple[int, bytes]:
        """Read until the deadline, however slowly the answer comes."""
        if self.file is None and self.sock is not None:
            self.file = DeadlineStream(self.sock, self._deadline).makefile("rb")
        return super().getreply()


def mail(batch: NotificationBatch, settings: EmailSettings) -> EmailMessage:
    """The message: a subject, and one line per event."""
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    event = batch.events[0]
    subject = f"{event.pipeline_name}: {event.status}" if len(batch.events) == 1 else headline(batch)
    message["Subject"] = " ".join(subject.split())[:200]
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id(batch)}@docfleet>"
    message.set_content("\n".join([headline(batch), "", *(line(event) for event in batch.events)]) + "\n")
    return message
