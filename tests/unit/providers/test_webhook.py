"""The webhook: the original's body, and signatures after Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from docfleet.providers.envelope import envelope
from docfleet.providers.registry import open_provider
from tests.notification_targets import Sink
from tests.unit.providers.messages import FAILED, LOOPBACK, batch, event


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({}, "authorization", None),
        ({"auth_type": "BEARER", "auth_key": "k"}, "authorization", "Bearer k"),
        ({"auth_type": "API_KEY", "auth_key": "k"}, "authorization", "k"),
        ({"auth_type": "CUSTOM_HEADER", "auth_key": "k", "auth_header": "X-Token"}, "x-token", "k"),
    ],
)
def test_a_webhook_has_the_original_s_body_and_authorization(
    sink: Sink, settings: dict[str, Any], header: str, value: str | None
) -> None:
    sent = batch(event(error_message=None))
    open_provider("webhook", {"url": f"{sink.url}/in?x=1", **settings}).send(sent, LOOPBACK)
    ((path, headers, body),) = sink.got
    assert path == "/in?x=1" and headers.get(header) == value and headers["content-type"] == "application/json"
    assert headers["webhook-id"] == headers["idempotency-key"] == sent.id and "webhook-signature" not in headers
    found = json.loads(body)
    assert found["summary"] == {"total": 1, "succeeded": 1, "failed": 0}
    assert found["events"][0]["timestamp"] == "2026 May 5 05:03:34 AM" and "pipeline_id" not in found["events"][0]
    flat = {key: found[key] for key in ("type", "pipeline_id", "pipeline_name", "status", "execution_id")}
    assert flat == {
        "type": "ETL", "pipeline_id": "p-1", "pipeline_name": "nightly", "status": "SUCCESS", "execution_id": "e-1",
    }  # fmt: skip
    assert found["additional_data"] == {"total_files": 3, "successful_files": 3, "failed_files": 0}
    assert found["timestamp"] == "2026-05-05T05:03:34+00:00" and "error_message" not in found


def test_a_batch_of_several_has_no_flat_keys() -> None:
    found = envelope(batch(event(), event(**FAILED, error_message="no tool")))
    assert set(found) == {"summary", "events"} and found["summary"] == {"total": 2, "succeeded": 1, "failed": 1}
    assert found["events"][1]["is_failure"] and found["events"][1]["error_message"] == "no tool"


def test_the_signature_is_that_of_standard_webhooks(sink: Sink) -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    open_provider("webhook", {"url": sink.url, "signing_secret": secret}).send(batch(), LOOPBACK)
    ((_, headers, body),) = sink.got
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"x" * 32, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body) == Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
