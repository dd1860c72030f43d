"""Keys of callers: shown once, kept as a hash, revoked and expired."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text


def _kept(api: Any) -> str:
    with api.database.reading() as connection:
        return str([tuple(row) for row in connection.execute(text("SELECT * FROM api_keys"))])


def test_a_key_is_shown_once_and_kept_as_a_hash(api: Any) -> None:
    key = api.publish().key
    shown = api.get("/api/v1/keys")["keys"][0]
    assert shown["scope"] == "deployment" and shown["target"] == "invoices" and shown["key_prefix"] == key[:8]
    assert key not in str(shown) and key not in _kept(api) and len(key) > 40


def test_a_revoked_and_an_expired_key_open_nothing(api: Any) -> None:
    invoices = api.publish()
    soon = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    second = api.key("deployment", "invoices", expires_at=soon)
    run = invoices.call(("a.txt", b"one"))
    assert invoices.get(run, key=second, status=422)["status"] == "PENDING"
    api.write("UPDATE api_keys SET expires_at = 1 WHERE expires_at IS NOT NULL")
    invoices.get(run, key=second, status=401)
    key_id = api.get("/api/v1/keys")["keys"][0]["key_id"]
    assert api.post(f"/api/v1/keys/{key_id}/revoke")["revoked"] is True
    assert api.post(f"/api/v1/keys/{key_id}/revoke")["revoked"] is False
    invoices.get(run, status=401)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    api.post("/api/v1/keys", {"scope": "platform", "name": "k", "expires_at": past}, status=400)


def test_the_last_use_is_noted(api: Any) -> None:
    invoices = api.publish()
    assert api.get("/api/v1/keys")["keys"][0]["last_used_at"] is None
    invoices.get(str(uuid.uuid4()), status=404)
    used = datetime.fromisoformat(api.get("/api/v1/keys")["keys"][0]["last_used_at"]).timestamp()
    assert abs(used - time.time()) < 60
