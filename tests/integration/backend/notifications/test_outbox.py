"""The outbox: what happens is a row of the same transaction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.backend.notifications.subscriber import Subscriber, hook


@pytest.mark.parametrize(
    ("statuses", "event", "word", "failure"),
    [
        (["COMPLETED"], "completed", "SUCCESS", False),
        (["COMPLETED", "ERROR"], "partly_failed", "SUCCESS", True),
        (["ERROR"], "failed", "ERROR", True),
    ],
)
def test_the_end_of_a_run_is_notified(api: Any, statuses: list[str], event: str, word: str, failure: bool) -> None:
    subscriber = Subscriber(api)
    only_failures = subscriber.add("failures", notify_on_failures=True)
    run = subscriber.end(*statuses)
    (found,) = subscriber.events()
    assert (found["event"], found["execution_id"], found["status"]) == (event, run.id, "waiting")
    assert len(subscriber.events(notification_id=only_failures)) == failure
    run.finalize()
    api.post("/internal/v1/sweep/")
    assert len(subscriber.events()) == 1, "told again"
    batches = {sent["batch_id"] for sent in subscriber.dispatch()}
    claims = {batch: subscriber.claim(batch) for batch in batches}
    assert len(claims) == 1 + failure and all(claim["granted"] for claim in claims.values())
    claim = next(claim for claim in claims.values() if claim["name"] == "ops")
    assert claim["settings"]["auth_key"] == "k3y-of-the-target"
    (data,) = claim["events"]
    assert (data["status"], data["type"], data["pipeline_name"]) == (word, "ETL", subscriber.name)
    assert data["total_files"] == len(statuses) and data.get("failed_files", 0) == statuses.count("ERROR")


def test_every_other_way_a_run_ends_is_notified(api: Any) -> None:
    subscriber = Subscriber(api, events=["started", "completed", "failed", "stopped"])
    stopped = subscriber.run()
    assert [event["event"] for event in subscriber.events()] == ["started"]
    api.post(f"/api/v1/executions/{stopped.id}/stop")
    failed = subscriber.run()
    failed.finalize(error="the source is away")
    empty = subscriber.run()
    empty.finalize(empty_reason="no_match")
    by_status = subscriber.run()
    api.post(f"{by_status.path}/update_status/", {"status": "ERROR", "error_message": "as the original says it"})
    found = {(event["execution_id"], event["event"]) for event in subscriber.events()}
    ends = {(stopped.id, "stopped"), (failed.id, "failed"), (empty.id, "completed"), (by_status.id, "failed")}
    assert found == ends | {(run, "started") for run, _ in ends}


def test_an_api_is_notified_with_the_original_s_word(api: Any) -> None:
    invoices = api.publish()
    body = {"name": "ops", "api": "invoices", **hook("api.example.org")}
    subscriber = Subscriber(api)
    subscriber.id = api.put("/api/v1/notifications", body)["notification_id"]
    invoices.work(invoices.call(("a.pdf", b"a")))
    (sent,) = subscriber.dispatch()
    (data,) = subscriber.claim(sent["batch_id"])["events"]
    assert (data["type"], data["status"], data["pipeline_name"]) == ("API", "COMPLETED", "invoices")


def test_a_transaction_that_is_rolled_back_notifies_nobody(api: Any) -> None:
    subscriber = Subscriber(api)
    run = subscriber.run().ready(1)
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
    assert run.status == "EXECUTING" and subscriber.events() == []
    run.report(claims)
    assert run.status == "COMPLETED" and len(subscriber.events()) == 1
