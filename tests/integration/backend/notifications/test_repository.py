"""Notifications go with what they are about, and old ones are removed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from docfleet.backend.tables.notifications import notification_batches, notification_events, notifications
from tests.integration.backend.notifications.subscriber import Subscriber


def test_what_is_deleted_takes_its_notifications_along_and_old_ones_end(fresh_api: Any) -> None:
    api = fresh_api
    subscriber = Subscriber(api, max_attempts=1)
    subscriber.end("COMPLETED")
    (sent,) = subscriber.dispatch()
    subscriber.claim(sent["batch_id"])
    subscriber.report(sent["batch_id"], "delivered")
    subscriber.end("COMPLETED")
    subscriber.dispatch()
    subscriber.end("COMPLETED")
    api.write("UPDATE notification_batches SET created_at = 1, lease_until = 1")
    api.write("UPDATE notification_batches SET finished_at = 1 WHERE state = 'delivered'")
    api.post("/internal/v1/sweep/")
    assert sorted(event["status"] for event in subscriber.events()) == ["dead", "waiting"]
    assert (
        'docfleet_notification_events{state="dead"} 1'
        in api.client.get(
            "/metrics", headers={"Authorization": "Bearer test-key-of-forty-characters-0123456789ab"}
        ).text
    )
    api.call("DELETE", f"/api/v1/pipelines/{subscriber.pipeline}")
    with api.database.reading() as connection:
        for table in (notifications, notification_batches, notification_events):
            assert connection.execute(select(table)).all() == []
