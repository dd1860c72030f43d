"""What a mail says, over real SMTP on the loopback."""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy

import pytest

from docfleet.providers.base import TargetRejected, TargetUnavailable
from docfleet.providers.registry import open_provider
from tests.notification_targets import Mailbox
from tests.unit.providers.messages import LOOPBACK, batch, event


def test_a_mail_says_what_happened_and_differs_from_its_repeat(mailbox: Mailbox) -> None:
    settings = {
        "host": "127.0.0.1",
        "port": mailbox.server_address[1],
        "security": "none",
        "sender": "docfleet@example.org",
        "recipients": ["one@example.org", "no@example.org"],
    }
    sent = batch(event(pipeline_name="nightly\r\nBcc: evil@example.org"))
    mail = open_provider("email", settings)
    mail.send(sent, LOOPBACK)
    mail.send(sent, LOOPBACK)
    assert [people for people, _ in mailbox.mails] == [["one@example.org"]] * 2
    first, second = (message_from_bytes(content, policy=policy.default) for _, content in mailbox.mails)
    assert first["Message-ID"] == second["Message-ID"] and first["Bcc"] is None
    assert first["Subject"] == "nightly Bcc: evil@example.org: SUCCESS"
    assert "3/3 files succeeded" in first.get_content()
    nobody = open_provider("email", {**settings, "recipients": ["no@example.org"]})
    with pytest.raises(TargetRejected, match="550"):
        nobody.send(sent, LOOPBACK)
    mailbox.refusal = b"451 later"
    with pytest.raises(TargetUnavailable, match="451"):
        nobody.send(sent, LOOPBACK)


def test_smtp_requires_the_configured_encryption(mailbox: Mailbox) -> None:
    settings = {"host": "127.0.0.1", "port": mailbox.server_address[1], "sender": "a@b.c", "recipients": ["a@b.c"]}
    with pytest.raises(TargetRejected, match="STARTTLS"):
        open_provider("email", settings).send(batch(), LOOPBACK)
    assert mailbox.mails == [] and issubclass(smtplib.SMTPException, OSError)
