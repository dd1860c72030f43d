"""Notifications are grouped, sent to the queue, and sent again when nobody took them."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import text

from tests.integration.backend.notifications.subscriber import Subscriber, hook


def test_clubbed_events_make_one_message_and_single_ones_go_alone(api: Any) -> None:
    subscriber = Subscriber(api, club_seconds=600)
    runs = [subscriber.end("COMPLETED").id for _ in range(3)]
    assert subscriber.dispatch() == [], "not yet"
    api.write("UPDATE notification_events SET due_at = 1 WHERE execution_id = :e", e=runs[0])
    (sent,) = subscriber.dispatch()
    assert [event["execution_id"] for event in subscriber.claim(sent["batch_id"])["events"]] == runs
    single = Subscriber(api)
    for _ in range(3):
        single.end("COMPLETED")
    (sent,) = single.dispatch()
    assert len(single.claim(sent["batch_id"])["events"]) == 1
    assert single.dispatch() == [], "one of a notification at a time"
    single.report(sent["batch_id"], "delivered")
    assert len(single.dispatch()) == 1


def test_few_batches_go_to_one_host_and_others_are_not_held_up(api: Any) -> None:
    slow = [Subscriber(api, "slow.example.org") for _ in range(4)]
    for each in slow:
        each.end("COMPLETED")
    other = Subscriber(api, settings={"url": "https://other.example.org/"})
    other.end("COMPLETED")
    sent = {message["batch_id"] for message in slow[0].dispatch()}
    hosts = [other.claim(batch)["settings"]["url"] for batch in sent]
    assert (
        hosts.count("https://slow.example.org/in/s3cret-path") == 2 and hosts.count("https://other.example.org/") == 1
    )


def test_a_broker_that_is_away_costs_nothing(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    api.recorder.down = True
    assert subscriber.dispatch() == []
    api.recorder.down = False
    assert len(subscriber.dispatch()) == 1


def test_a_message_nobody_took_is_sent_again_ever_later(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    leases = []
    for _ in range(3):
        (sent,) = subscriber.dispatch()
        with api.database.reading() as connection:
            now = connection.scalar(
                text("SELECT max(lease_until) FROM notification_batches WHERE id = :b").bindparams(b=sent["batch_id"])
            )
        leases.append(now - subscriber.row(sent["batch_id"]).created_at)
        subscriber.due()
    assert 55 < leases[0] < 75 and 115 < leases[1] < 140 and 230 < leases[2] < 260


def test_an_event_that_does_not_club_is_sent_without_a_tick(limited_api: Any) -> None:
    api = limited_api()
    api.workflow(name="p")
    api.put("/api/v1/pipelines", {"name": "p", "workflow": "p"})
    made = api.put("/api/v1/notifications", {"name": "ops", "pipeline": "p", **hook()})
    api.post(f"/api/v1/notifications/{made['notification_id']}/test", status=202)
    end = time.monotonic() + 20
    while not api.recorder.sent and time.monotonic() < end:
        time.sleep(0.01)
    ((task, args, kwargs, queue),) = api.recorder.sent
    assert (task, args, queue) == ("process_notification", ["WEBHOOK"], "notifications_webhook")
    assert set(kwargs) == {"batch_id", "organization_id"}
