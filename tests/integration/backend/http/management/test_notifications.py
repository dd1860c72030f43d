"""Notifications are stated by name, listed and tested; their secrets are sealed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from docfleet.backend.tables.notifications import notifications
from tests.integration.backend.notifications.subscriber import URL, Subscriber, hook


def test_secrets_are_sealed_and_never_shown(api: Any) -> None:
    subscriber = Subscriber(api)
    shown = json.dumps([api.get("/api/v1/notifications"), api.get(f"/api/v1/notifications/{subscriber.id}")])
    assert "s3cret-path" not in shown and "k3y-of-the-target" not in shown and f"{subscriber.host}:443" in shown
    with api.database.reading() as connection:
        row = connection.execute(select(notifications).where(notifications.c.id == subscriber.id)).one()
    assert "s3cret-path" not in repr(row) and "k3y" not in repr(row)
    masked = api.get(f"/api/v1/notifications/{subscriber.id}")["settings"]
    api.put(
        "/api/v1/notifications",
        {"name": "ops", "pipeline": subscriber.name, "provider": "webhook", "settings": masked},
        status=400,
    )


def test_a_notification_is_stated_once_and_changed_by_name(api: Any) -> None:
    subscriber = Subscriber(api)
    body = {"name": "ops", "pipeline": subscriber.name, **hook(subscriber.host)}
    put = lambda query="", **more: api.put(f"/api/v1/notifications{query}", {**body, **more})  # noqa: E731
    assert put() == {"notification_id": subscriber.id, "created": False, "changed": False}
    planned = put("?dry_run=true", club_seconds=60, settings={"url": URL})
    assert sorted(planned["changed"]) == ["club_seconds", "settings"] and not planned["created"]
    assert put(club_seconds=60)["changed"] and not put(club_seconds=60)["changed"]
    assert len(api.get("/api/v1/notifications")["notifications"]) == 1
    api.call("DELETE", f"/api/v1/notifications/{subscriber.id}")
    api.get(f"/api/v1/notifications/{subscriber.id}", status=404)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": "pigeon"}, "pigeon"),
        ({"settings": {"url": "ftp://x/"}}, "url"),
        ({"settings": {"url": "https://user:pass@x/"}}, "credentials"),
        ({"settings": {"url": URL, "auth_type": "BEARER"}}, "auth_key"),
        ({"settings": {"url": URL, "signing_secret": "whsec_short"}}, "signing_secret"),
        ({"settings": {"url": URL, "colour": "red"}}, "colour"),
        (
            {"settings": {"url": URL, "auth_type": "CUSTOM_HEADER", "auth_key": "k", "auth_header": "Host"}},
            "auth_header",
        ),
        ({"events": ["waiting_for_review"]}, "review"),
        ({"events": ["test"]}, "events"),
        ({"events": []}, "events"),
        ({"pipeline": None}, "pipeline"),
        ({"pipeline": "nobody"}, "nobody"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"settings": ["user:pass"]}, "settings: Expected `object`"),
        ({"settings": {"url": URL, "auth_type": "user:pass", "auth_key": "BEARER"}}, "`auth_type`"),
        ({"pipeline": None, "api": "invoices", "events": ["started"]}, "`started` is an event of pipelines"),
    ],
)
def test_a_wrong_notification_is_refused_in_words(api: Any, change: dict[str, Any], words: str) -> None:
    subscriber = Subscriber(api)
    answer = api.put(
        "/api/v1/notifications", {"name": "other", "pipeline": subscriber.name, **hook(), **change}, status=None
    )
    assert 400 <= api.last.status_code < 500 and words in answer["detail"], answer
    assert "s3cret-path" not in json.dumps(answer) and "user:pass" not in json.dumps(answer)


def test_another_organization_sees_and_touches_nothing(api: Any) -> None:
    subscriber = Subscriber(api)
    subscriber.end("COMPLETED")
    (event,) = subscriber.events()
    (sent,) = subscriber.dispatch()
    stranger = api.other()
    assert stranger.get("/api/v1/notifications")["notifications"] == []
    assert stranger.get("/api/v1/notifications/events")["events"] == []
    for method, path in (
        ("GET", f"/api/v1/notifications/{subscriber.id}"),
        ("DELETE", f"/api/v1/notifications/{subscriber.id}"),
        ("POST", f"/api/v1/notifications/{subscriber.id}/test"),
        ("GET", f"/api/v1/notifications/events/{event['event_id']}"),
        ("POST", f"/api/v1/notifications/events/{event['event_id']}/resend"),
    ):
        stranger.call(method, path, {} if method == "POST" else None, status=404)
    batch = f"/internal/v1/notifications/batches/{sent['batch_id']}"
    stranger.post(f"{batch}/claim/", {"lease_seconds": 60}, status=404)
    stranger.post(f"{batch}/report/", {"attempt": 1, "outcome": "delivered"}, status=404)
    stranger.put("/api/v1/notifications", {"name": "x", "pipeline": subscriber.name, **hook()}, status=404)
    assert subscriber.claim(sent["batch_id"])["granted"]


def test_lists_are_paged(api: Any) -> None:
    subscriber = Subscriber(api)
    for number in range(3):
        subscriber.add(f"more-{number}")
    runs = [subscriber.end("COMPLETED").id for _ in range(3)]
    for path, key, size in (("", "notifications", 4), ("/events", "events", 12)):
        seen, after = [], ""
        while after is not None:
            page = api.get(f"/api/v1/notifications{path}?limit=3" + (f"&after={after}" if after else ""))
            seen += page[key]
            after = page["next"]
        assert len(seen) == size and len({json.dumps(row, sort_keys=True) for row in seen}) == size
    assert {event["execution_id"] for event in subscriber.events()} == set(runs)


def test_a_test_is_an_event_like_others(api: Any) -> None:
    subscriber = Subscriber(api)
    event = api.post(f"/api/v1/notifications/{subscriber.id}/test", status=202)["event_id"]
    (sent,) = subscriber.dispatch()
    (data,) = subscriber.claim(sent["batch_id"])["events"]
    assert (data["event"], data["status"]) == ("test", "TEST")
    subscriber.report(sent["batch_id"], "delivered")
    assert api.get(f"/api/v1/notifications/events/{event}")["status"] == "delivered"
    subscriber.add(is_active=False)
    api.post(f"/api/v1/notifications/{subscriber.id}/test", status=409)
    subscriber.end("COMPLETED")
    assert len(subscriber.events()) == 1, "an inactive one is told nothing"
