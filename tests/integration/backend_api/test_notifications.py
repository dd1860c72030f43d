"""The outbox: what happens is a row of the same transaction, and a row ends as delivered or dead, whatever is lost."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from sqlalchemy import select, text

from docfleet.backend.tables.notifications import notification_batches, notification_events, notifications

URL = "https://hooks.example.org/in/s3cret-path"


def hook(host: str = "hooks.example.org") -> dict[str, Any]:
    settings = {"url": f"https://{host}/in/s3cret-path", "auth_type": "BEARER", "auth_key": "k3y-of-the-target"}
    return {"provider": "webhook", "settings": settings}


class Told:
    """A pipeline with a notification, and the worker's side of its batches."""

    def __init__(self, api: Any, host: str = "", **body: Any) -> None:
        api.client.app.dependencies[
            "notification_dispatcher"
        ].dependency().stop()  # only what the test asks for is sent
        self.api = api
        self.host = host or f"{uuid.uuid4().hex[:8]}.example.org"  # what is under way to one host is counted
        self.name = f"p-{uuid.uuid4().hex[:8]}"
        api.workflow(name=self.name)
        self.pipeline = api.put("/api/v1/pipelines", {"name": self.name, "workflow": self.name})["pipeline_id"]
        self.key = api.key("pipeline", self.name)
        self.id = self.add(**body)

    def add(self, name: str = "ops", **body: Any) -> str:
        found = self.api.put("/api/v1/notifications", {"name": name, "pipeline": self.name, **hook(self.host), **body})
        return str(found["notification_id"])

    def run(self) -> Any:
        path = f"/deployment/pipeline/api/{self.api.organization}/{self.pipeline}/"
        answer = self.api.client.post(path, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.text
        return self.api.execution(answer.json()["execution_id"])

    def end(self, *statuses: str) -> Any:
        """A run whose files end so."""
        run = self.run().ready(self.api.documents(len(statuses), f"{uuid.uuid4().hex[:8]}/"))
        run.report([], outcomes=[self.api.outcome(c, s) for c, s in zip(run.take(), statuses, strict=True)])
        return run

    def events(self, **query: Any) -> list[Any]:
        words = "&".join(f"{key}={value}" for key, value in {"notification_id": self.id, **query}.items())
        return list(self.api.get(f"/api/v1/notifications/events?{words}")["events"])

    def dispatch(self) -> list[dict[str, Any]]:
        """The messages about this organization's batches."""
        self.api.recorder.sent.clear()
        self.api.post("/internal/v1/notifications/dispatch/")
        sent = [message for message in self.api.recorder.sent if message[0] == "process_notification"]
        return [kwargs for _, _, kwargs, _ in sent if kwargs["organization_id"] == self.api.organization]

    def claim(self, batch: str, lease: float = 60.0) -> Any:
        return self.api.post(f"/internal/v1/notifications/batches/{batch}/claim/", {"lease_seconds": lease})

    def report(self, batch: str, outcome: str, attempt: int = 1, **more: Any) -> str:
        body = {"attempt": attempt, "outcome": outcome, **more}
        return str(self.api.post(f"/internal/v1/notifications/batches/{batch}/report/", body)["state"])

    def row(self, batch: str) -> Any:
        with self.api.database.reading() as connection:
            return connection.execute(select(notification_batches).where(notification_batches.c.id == batch)).one()

    def due(self) -> None:
        """All its waits and leases are over."""
        self.api.write(
            "UPDATE notification_batches SET next_attempt_at = 1, lease_until = 1 WHERE notification_id = :n", n=self.id
        )


@pytest.mark.parametrize(
    ("statuses", "event", "word", "failure"),
    [
        (["COMPLETED"], "completed", "SUCCESS", False),
        (["COMPLETED", "ERROR"], "partly_failed", "SUCCESS", True),
        (["ERROR"], "failed", "ERROR", True),
    ],
)
def test_the_end_of_a_run_is_told(api: Any, statuses: list[str], event: str, word: str, failure: bool) -> None:
    told = Told(api)
    only_failures = told.add("failures", notify_on_failures=True)
    run = told.end(*statuses)
    (found,) = told.events()
    assert (found["event"], found["execution_id"], found["status"]) == (event, run.id, "waiting")
    assert len(told.events(notification_id=only_failures)) == failure
    run.finalize()
    api.post("/internal/v1/sweep/")
    assert len(told.events()) == 1, "told again"
    batches = {sent["batch_id"] for sent in told.dispatch()}
    claims = {batch: told.claim(batch) for batch in batches}
    assert len(claims) == 1 + failure and all(claim["granted"] for claim in claims.values())
    claim = next(claim for claim in claims.values() if claim["name"] == "ops")
    assert claim["settings"]["auth_key"] == "k3y-of-the-target"
    (data,) = claim["events"]
    assert (data["status"], data["type"], data["pipeline_name"]) == (word, "ETL", told.name)
    assert data["total_files"] == len(statuses) and data.get("failed_files", 0) == statuses.count("ERROR")


def test_every_other_way_a_run_ends_is_told(api: Any) -> None:
    told = Told(api, events=["started", "completed", "failed", "stopped"])
    stopped = told.run()
    assert [event["event"] for event in told.events()] == ["started"]
    api.post(f"/api/v1/executions/{stopped.id}/stop")
    failed = told.run()
    failed.finalize(error="the source is away")
    empty = told.run()
    empty.finalize(empty_reason="no_match")
    by_status = told.run()
    api.post(f"{by_status.path}/update_status/", {"status": "ERROR", "error_message": "as the original says it"})
    found = {(event["execution_id"], event["event"]) for event in told.events()}
    ends = {(stopped.id, "stopped"), (failed.id, "failed"), (empty.id, "completed"), (by_status.id, "failed")}
    assert found == ends | {(run, "started") for run, _ in ends}


def test_an_api_is_told_of_with_the_original_s_word(api: Any) -> None:
    invoices = api.publish()
    body = {"name": "ops", "api": "invoices", **hook("api.example.org")}
    told = Told(api)
    told.id = api.put("/api/v1/notifications", body)["notification_id"]
    invoices.work(invoices.call(("a.pdf", b"a")))
    (sent,) = told.dispatch()
    (data,) = told.claim(sent["batch_id"])["events"]
    assert (data["type"], data["status"], data["pipeline_name"]) == ("API", "COMPLETED", "invoices")


def test_a_transaction_that_is_undone_tells_nothing(api: Any) -> None:
    told = Told(api)
    run = told.run().ready(1)
    claims = run.take()
    api.write("ALTER TABLE notification_events RENAME TO gone")
    try:
        answer = api.call(
            "POST",
            f"{run.path}/files/report/",
            status=None,
            body={"owner": "worker", "lease_seconds": 60, "outcomes": [api.outcome(claims[0])]},
        )
        assert api.last.status_code >= 500, answer
    finally:
        api.write("ALTER TABLE gone RENAME TO notification_events")
    assert run.status == "EXECUTING" and told.events() == []
    run.report(claims)
    assert run.status == "COMPLETED" and len(told.events()) == 1


def test_a_batch_belongs_to_one_worker_at_a_time_and_keeps_its_id(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    (sent,) = told.dispatch()
    assert set(sent) == {"batch_id", "organization_id"}, "ids only"
    batch = sent["batch_id"]
    assert told.dispatch() == [], "its message is under way"
    assert told.claim(batch)["granted"] and not told.claim(batch)["granted"]
    told.due()  # the worker died, and its lease with it
    assert told.dispatch() == [sent]
    again = told.claim(batch)
    assert again["granted"] and again["attempt"] == 2
    assert told.report(batch, "failed", attempt=1, error="late") == "sending", "the old attempt has no say"
    assert told.report(batch, "delivered", attempt=1) == "delivered", "but that it arrived is true"
    assert told.report(batch, "failed", attempt=2, error="twice") == "delivered"
    assert told.dispatch() == [] and not told.claim(batch)["granted"]


def test_a_failure_waits_longer_each_time_and_is_dead_in_the_end(api: Any) -> None:
    told = Told(api, max_attempts=3)
    told.end("COMPLETED")
    waits = []
    for attempt in (1, 2, 3):
        (sent,) = told.dispatch()
        batch = sent["batch_id"]
        assert told.claim(batch)["attempt"] == attempt
        state = told.report(batch, "failed", attempt, error="hooks.example.org:443 answered 500")
        waits.append(told.row(batch).next_attempt_at - told.row(batch).created_at)
        assert state == ("dead" if attempt == 3 else "waiting")
        assert told.dispatch() == []
        if attempt < 3:
            told.due()
    assert 3 < waits[0] < 8 and 7 < waits[1] < 16
    (event,) = told.events(status="dead")
    assert event["last_error"] == "hooks.example.org:443 answered 500" and event["attempts"] == 3
    assert api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=202)["events"] == 1
    api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=409)
    (sent,) = told.dispatch()
    assert sent["batch_id"] == batch, "the target can tell that it is a repeat"
    told.claim(batch)
    assert told.report(batch, "delivered") == "delivered" and told.events(status="dead") == []


def test_a_target_says_how_long_to_wait_and_a_refusal_is_final(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    batch = told.dispatch()[0]["batch_id"]
    told.claim(batch)
    told.report(batch, "failed", error="429", retry_after=1000)
    assert told.row(batch).next_attempt_at - told.row(batch).created_at > 999
    told.due()
    told.dispatch()
    told.claim(batch)
    assert told.report(batch, "rejected", 2, error="hooks.example.org:443 answered 410") == "dead"


def test_events_of_a_host_that_is_away_wait_at_no_cost(api: Any) -> None:
    told = Told(api)
    other = Told(api, told.host)
    told.end("COMPLETED")
    (first,) = told.dispatch()
    other.end("COMPLETED")
    told.claim(first["batch_id"])
    (second,) = told.dispatch()
    other.claim(second["batch_id"])
    other.report(second["batch_id"], "failed", error="x")
    other.due()
    assert told.report(first["batch_id"], "deferred", error="open", retry_after=500) == "waiting"
    row, pushed = told.row(first["batch_id"]), other.row(second["batch_id"])
    assert row.attempts == 0 and row.next_attempt_at - row.created_at > 499
    assert pushed.next_attempt_at > row.created_at + 499, "the other batches to that host wait as well"
    assert told.dispatch() == []


def test_workers_that_die_with_a_batch_use_up_its_attempts(api: Any) -> None:
    told = Told(api, max_attempts=2)
    told.end("COMPLETED")
    for _ in range(2):
        (sent,) = told.dispatch()
        told.claim(sent["batch_id"])
        told.due()
    assert told.dispatch() == []
    (event,) = told.events(status="dead")
    assert "did not come back" in event["last_error"]


def test_who_allows_fewer_attempts_ends_what_had_more_and_the_cause_stays(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    (sent,) = told.dispatch()
    told.claim(sent["batch_id"])
    told.report(sent["batch_id"], "failed", error="hooks.example.org:443 answered 500")
    told.due()
    told.add(max_attempts=1)
    assert told.dispatch() == []
    (event,) = told.events(status="dead")
    assert event["last_error"] == "hooks.example.org:443 answered 500"


def test_what_is_sent_again_late_has_its_attempts(fresh_api: Any) -> None:
    told = Told(fresh_api, max_attempts=1)
    told.end("COMPLETED")
    (sent,) = told.dispatch()
    told.claim(sent["batch_id"])
    assert told.report(sent["batch_id"], "rejected", error="hooks.example.org:443 answered 410") == "dead"
    fresh_api.write("UPDATE notification_batches SET created_at = 1")
    (event,) = told.events()
    fresh_api.post(f"/api/v1/notifications/events/{event['event_id']}/resend", status=202)
    fresh_api.post("/internal/v1/sweep/")
    assert told.events()[0]["status"] == "waiting", "it was too old at once"


def test_clubbed_events_make_one_message_and_single_ones_go_alone(api: Any) -> None:
    told = Told(api, club_seconds=600)
    runs = [told.end("COMPLETED").id for _ in range(3)]
    assert told.dispatch() == [], "not yet"
    api.write("UPDATE notification_events SET due_at = 1 WHERE execution_id = :e", e=runs[0])
    (sent,) = told.dispatch()
    assert [event["execution_id"] for event in told.claim(sent["batch_id"])["events"]] == runs
    single = Told(api)
    for _ in range(3):
        single.end("COMPLETED")
    (sent,) = single.dispatch()
    assert len(single.claim(sent["batch_id"])["events"]) == 1
    assert single.dispatch() == [], "one of a notification at a time"
    single.report(sent["batch_id"], "delivered")
    assert len(single.dispatch()) == 1


def test_few_batches_go_to_one_host_and_others_are_not_held_up(api: Any) -> None:
    slow = [Told(api, "slow.example.org") for _ in range(4)]
    for each in slow:
        each.end("COMPLETED")
    other = Told(api, settings={"url": "https://other.example.org/"})
    other.end("COMPLETED")
    sent = {message["batch_id"] for message in slow[0].dispatch()}
    hosts = [other.claim(batch)["settings"]["url"] for batch in sent]
    assert (
        hosts.count("https://slow.example.org/in/s3cret-path") == 2 and hosts.count("https://other.example.org/") == 1
    )


def test_a_broker_that_is_away_costs_nothing(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    api.recorder.down = True
    assert told.dispatch() == []
    api.recorder.down = False
    assert len(told.dispatch()) == 1


def test_a_message_nobody_took_is_sent_again_ever_later(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    leases = []
    for _ in range(3):
        (sent,) = told.dispatch()
        with api.database.reading() as connection:
            now = connection.scalar(
                text("SELECT max(lease_until) FROM notification_batches WHERE id = :b").bindparams(b=sent["batch_id"])
            )
        leases.append(now - told.row(sent["batch_id"]).created_at)
        told.due()
    assert 55 < leases[0] < 75 and 115 < leases[1] < 140 and 230 < leases[2] < 260


def test_secrets_are_sealed_and_never_shown(api: Any) -> None:
    told = Told(api)
    shown = json.dumps([api.get("/api/v1/notifications"), api.get(f"/api/v1/notifications/{told.id}")])
    assert "s3cret-path" not in shown and "k3y-of-the-target" not in shown and f"{told.host}:443" in shown
    with api.database.reading() as connection:
        row = connection.execute(select(notifications).where(notifications.c.id == told.id)).one()
    assert "s3cret-path" not in repr(row) and "k3y" not in repr(row)
    masked = api.get(f"/api/v1/notifications/{told.id}")["settings"]
    api.put(
        "/api/v1/notifications",
        {"name": "ops", "pipeline": told.name, "provider": "webhook", "settings": masked},
        status=400,
    )


def test_a_notification_is_stated_once_and_changed_by_name(api: Any) -> None:
    told = Told(api)
    body = {"name": "ops", "pipeline": told.name, **hook(told.host)}
    put = lambda query="", **more: api.put(f"/api/v1/notifications{query}", {**body, **more})  # noqa: E731
    assert put() == {"notification_id": told.id, "created": False, "changed": False}
    planned = put("?dry_run=true", club_seconds=60, settings={"url": URL})
    assert sorted(planned["changed"]) == ["club_seconds", "settings"] and not planned["created"]
    assert put(club_seconds=60)["changed"] and not put(club_seconds=60)["changed"]
    assert len(api.get("/api/v1/notifications")["notifications"]) == 1
    api.call("DELETE", f"/api/v1/notifications/{told.id}")
    api.get(f"/api/v1/notifications/{told.id}", status=404)


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
        ({"pipeline": None, "api": "invoices", "events": ["started"]}, "`started` is told of pipelines"),
    ],
)
def test_a_wrong_notification_is_refused_in_words(api: Any, change: dict[str, Any], words: str) -> None:
    told = Told(api)
    answer = api.put("/api/v1/notifications", {"name": "other", "pipeline": told.name, **hook(), **change}, status=None)
    assert 400 <= api.last.status_code < 500 and words in answer["detail"], answer
    assert "s3cret-path" not in json.dumps(answer) and "user:pass" not in json.dumps(answer)


def test_another_organization_sees_and_touches_nothing(api: Any) -> None:
    told = Told(api)
    told.end("COMPLETED")
    (event,) = told.events()
    (sent,) = told.dispatch()
    stranger = api.other()
    assert stranger.get("/api/v1/notifications")["notifications"] == []
    assert stranger.get("/api/v1/notifications/events")["events"] == []
    for method, path in (
        ("GET", f"/api/v1/notifications/{told.id}"),
        ("DELETE", f"/api/v1/notifications/{told.id}"),
        ("POST", f"/api/v1/notifications/{told.id}/test"),
        ("GET", f"/api/v1/notifications/events/{event['event_id']}"),
        ("POST", f"/api/v1/notifications/events/{event['event_id']}/resend"),
    ):
        stranger.call(method, path, {} if method == "POST" else None, status=404)
    batch = f"/internal/v1/notifications/batches/{sent['batch_id']}"
    stranger.post(f"{batch}/claim/", {"lease_seconds": 60}, status=404)
    stranger.post(f"{batch}/report/", {"attempt": 1, "outcome": "delivered"}, status=404)
    stranger.put("/api/v1/notifications", {"name": "x", "pipeline": told.name, **hook()}, status=404)
    assert told.claim(sent["batch_id"])["granted"]


def test_lists_are_paged(api: Any) -> None:
    told = Told(api)
    for number in range(3):
        told.add(f"more-{number}")
    runs = [told.end("COMPLETED").id for _ in range(3)]
    for path, key, size in (("", "notifications", 4), ("/events", "events", 12)):
        seen, after = [], ""
        while after is not None:
            page = api.get(f"/api/v1/notifications{path}?limit=3" + (f"&after={after}" if after else ""))
            seen += page[key]
            after = page["next"]
        assert len(seen) == size and len({json.dumps(row, sort_keys=True) for row in seen}) == size
    assert {event["execution_id"] for event in told.events()} == set(runs)


def test_a_test_is_an_event_like_others(api: Any) -> None:
    told = Told(api)
    event = api.post(f"/api/v1/notifications/{told.id}/test", status=202)["event_id"]
    (sent,) = told.dispatch()
    (data,) = told.claim(sent["batch_id"])["events"]
    assert (data["event"], data["status"]) == ("test", "TEST")
    told.report(sent["batch_id"], "delivered")
    assert api.get(f"/api/v1/notifications/events/{event}")["status"] == "delivered"
    told.add(is_active=False)
    api.post(f"/api/v1/notifications/{told.id}/test", status=409)
    told.end("COMPLETED")
    assert len(told.events()) == 1, "an inactive one is told nothing"


def test_what_is_deleted_takes_its_notifications_along_and_old_ones_end(fresh_api: Any) -> None:
    api = fresh_api
    told = Told(api, max_attempts=1)
    told.end("COMPLETED")
    (sent,) = told.dispatch()
    told.claim(sent["batch_id"])
    told.report(sent["batch_id"], "delivered")
    told.end("COMPLETED")
    told.dispatch()
    told.end("COMPLETED")
    api.write("UPDATE notification_batches SET created_at = 1, lease_until = 1")
    api.write("UPDATE notification_batches SET finished_at = 1 WHERE state = 'delivered'")
    api.post("/internal/v1/sweep/")
    assert sorted(event["status"] for event in told.events()) == ["dead", "waiting"]
    assert (
        'docfleet_notification_events{state="dead"} 1'
        in api.client.get(
            "/metrics", headers={"Authorization": "Bearer test-key-of-forty-characters-0123456789ab"}
        ).text
    )
    api.call("DELETE", f"/api/v1/pipelines/{told.pipeline}")
    with api.database.reading() as connection:
        for table in (notifications, notification_batches, notification_events):
            assert connection.execute(select(table)).all() == []


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
