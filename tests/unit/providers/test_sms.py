"""What an SMS service is sent."""

from __future__ import annotations

import base64

from docfleet.providers.registry import open_provider
from tests.notification_targets import Sink
from tests.unit.providers.messages import LOOPBACK, batch, event


def test_sms_is_requested_from_an_api_like_twilio_s(sink: Sink) -> None:
    settings = {"account_sid": "AC1", "auth_token": "t0ken-of-the-account", "sender": "+491", "recipient": "+492"}
    open_provider("sms", {**settings, "url": sink.url}).send(batch(event(error_message="x" * 900)), LOOPBACK)
    ((path, headers, body),) = sink.got
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"AC1:t0ken-of-the-account"
    assert body.startswith(b"From=%2B491&To=%2B492&Body=") and headers["idempotency-key"]
