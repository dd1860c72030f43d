"""A notification ends as delivered or dead, however often its delivery fails."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.notifications.subscriber import Subscriber


def test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    (sent,) = subscriber.dispatch()
    assert set(sent) == {"batch_id", "organization_id"}, "ids only"
    batch = sent["batch_id"]
    assert subscriber.dispatch() == [], "its message is under way"
    assert subscriber.claim(batch)["granted"] and not subscriber.claim(batch)["granted"]
    subscriber.due()  # the worker died, and its lease with it
    assert subscriber.dispatch() == [sent]
    again = subscriber.claim(batch)
    assert again["granted"] and again["attempt"] == 2
    assert subscriber.report(batch, "failed", attempt=1, error="late") == "sending", "the old attempt has no say"
    assert subscriber.report(batch, "delivered", attempt=1) == "delivered", "but that it arrived is true"
    assert subscriber.report(batch, "failed", attempt=2, error="twice") == "delivered"
    assert subscriber.dispatch() == [] and not subscriber.claim(batch)["granted"]


def test_a_failure_waits_longer_each_time_and_is_dead_in_the_end(api: Any) -> None:
    subscriber = Subscriber(api, max_attempts=3)
    subscriber.end("COMPLETED")
    waits = []
    for attempt in (1, 2, 3):
        (sent,) = subscriber.dispatch()
        batch = sent["batch_id"]
        assert subscriber.claim(batch)["attempt"] == attempt
        state = subscriber.report(batch, "failed", attempt, error="hooks.example.org:443 answered 500")
        waits.append(subscriber.row(batch).next_attempt_at - subscriber.row(batch).created_at)
        assert state == ("dead" if attempt == 3 else "waiting")
        assert subscriber.dispatch() == []
        if attempt < 3:
            subscriber.due()
    assert 3 < waits[0] < 8 and 7 < waits[1] < 16
    (event,) = subscriber.events(status="dead")
    assert event["last_error"] == "hooks.example.org:443 answered 500" and event["attempts"] == 3
    assert api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=202)["events"] == 1
    api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=409)
    (sent,) = subscriber.dispatch()
    assert sent["batch_id"] == batch, "the target can tell that it is a repeat"
    subscriber.claim(batch)
    assert subscriber.report(batch, "delivered") == "delivered" and subscriber.events(status="dead") == []


def test_a_target_says_how_long_to_wait_and_a_refusal_is_final(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    batch = subscriber.dispatch()[0]["batch_id"]
    subscriber.claim(batch)
    subscriber.report(batch, "failed", error="429", retry_after=1000)
    assert subscriber.row(batch).next_attempt_at - subscriber.row(batch).created_at > 999
    subscriber.due()
    subscriber.dispatch()
    subscriber.claim(batch)
    assert subscriber.report(batch, "rejected", 2, error="hooks.example.org:443 answered 410") == "dead"


def test_events_of_a_host_that_is_away_wait_at_no_cost(api: Any) -> None:
    subscriber = Subscriber(api)
    other = Subscriber(api, subscriber.host)
    subscriber.end("COMPLETED")
    (first,) = subscriber.dispatch()
    other.end("COMPLETED")
    subscriber.claim(first["batch_id"])
    (second,) = subscriber.dispatch()
    other.claim(second["batch_id"])
    other.report(second["batch_id"], "failed", error="x")
    other.due()
    assert subscriber.report(first["batch_id"], "deferred", error="open", retry_after=500) == "waiting"
    row, pushed = subscriber.row(first["batch_id"]), other.row(second["batch_id"])
    assert row.attempts == 0 and row.next_attempt_at - row.created_at > 499
    assert pushed.next_attempt_at > row.created_at + 499, "the other batches to that host wait as well"
    assert subscriber.dispatch() == []


def test_workers_that_die_with_a_batch_use_up_its_attempts(api: Any) -> None:
    subscriber = Subscriber(api, max_attempts=2)
    subscriber.end("COMPLETED")
    for _ in range(2):
        (sent,) = subscriber.dispatch()
        subscriber.claim(sent["batch_id"])
        subscriber.due()
    assert subscriber.dispatch() == []
    (event,) = subscriber.events(status="dead")
    assert "did not come back" in event["last_error"]


def test_who_allows_fewer_attempts_ends_what_had_more_and_the_cause_stays(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    (sent,) = subscriber.dispatch()
    subscriber.claim(sent["batch_id"])
    subscriber.report(sent["batch_id"], "failed", error="hooks.example.org:443 answered 500")
    subscriber.due()
    subscriber.add(max_attempts=1)
    assert subscriber.dispatch() == []
    (event,) = subscriber.events(status="dead")
    assert event["last_error"] == "hooks.example.org:443 answered 500"


def test_what_is_sent_again_late_has_its_attempts(fresh_api: Any) -> None:
    subscriber = Subscriber(fresh_api, max_attempts=1)
    subscriber.end("COMPLETED")
    (sent,) = subscriber.dispatch()
    subscriber.claim(sent["batch_id"])
    assert subscriber.report(sent["batch_id"], "rejected", error="hooks.example.org:443 answered 410") == "dead"
    fresh_api.write("UPDATE notification_batches SET created_at = 1")
    (event,) = subscriber.events()
    fresh_api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=202)
    fresh_api.post("/internal/v1/sweep/")
    assert subscriber.events()[0]["status"] == "waiting", "it was too old at once"
