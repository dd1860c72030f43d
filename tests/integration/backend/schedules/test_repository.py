"""Schedules are applied, paused and removed; ticks are listed, watched and forgotten."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.integration.backend.schedules.scheduled import Scheduled, tick


def test_a_pause_drops_what_is_queued_and_refuses_every_run(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, overlap="queue_one")
    key = fresh_api.key("pipeline", "nightly")
    fresh_api.post(f"{pipeline.path}/run", status=201)
    pipeline.due()
    tick(fresh_api)
    shown = fresh_api.post(f"{pipeline.path}/pause")
    assert (shown["active"], shown["next_run_time"]) == (False, None)
    pipeline.end(pipeline.runs[0])
    assert tick(fresh_api) == {} and pipeline.outcomes == ["skipped"]
    before = len(fresh_api.recorder.sent)
    refused = fresh_api.post(f"{pipeline.path}/run", status=409)
    assert "paused" in refused["detail"] and "resume" in refused["detail"]
    fresh_api.post(f"/internal/v1/pipeline/{pipeline.id}/run/", status=409)
    workflow = fresh_api.get(pipeline.path)["workflow_id"]
    fresh_api.post(
        "/internal/v1/workflow-manager/execution/create/",
        {"workflow_id": workflow, "pipeline_id": pipeline.id},
        status=409,
    )
    trigger = f"/deployment/pipeline/api/{fresh_api.organization}/{pipeline.id}/"
    assert fresh_api.client.post(trigger, headers={"Authorization": f"Bearer {key}"}).status_code == 422
    assert len(pipeline.runs) == 1 and len(fresh_api.recorder.sent) == before
    resumed = fresh_api.post(f"{pipeline.path}/resume")
    assert resumed["active"] and resumed["next_run_time"]
    assert tick(fresh_api) == {}, "the pause was made up for"
    fresh_api.post(f"{pipeline.path}/run", status=201)


def test_an_applied_schedule_is_kept_changed_and_taken_away(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, cron="30 2 * * *", timeZone="Europe/Berlin", jitterSeconds=30)
    whole = pipeline.shown["schedule"]
    assert whole == {
        "cron": "30 2 * * *",
        "timeZone": "Europe/Berlin",
        "overlap": "skip",
        "catchUp": "latest",
        "catchUpLimit": 10,
        "jitterSeconds": 30,
    }
    first = pipeline.shown["next_run_time"]
    assert fresh_api.put("/api/v1/pipelines", {**pipeline.body, "schedule": whole})["changed"] is False
    plain = {"name": "nightly", "workflow": "invoices"}
    assert fresh_api.put("/api/v1/pipelines", plain)["changed"] is False, "what is not named was changed"
    assert pipeline.shown["next_run_time"] == first
    changed = {**plain, "schedule": {**whole, "cron": "0 5 * * *"}}
    assert fresh_api.put("/api/v1/pipelines?dry_run=true", changed) == {"created": False, "changed": ["schedule"]}
    assert fresh_api.put("/api/v1/pipelines", changed)["changed"] is True
    assert pipeline.shown["next_run_time"] != first
    assert fresh_api.put("/api/v1/pipelines", {**plain, "schedule": None})["changed"] is True
    assert (pipeline.shown["schedule"], pipeline.shown["next_run_time"]) == (None, None)
    fresh_api.get(f"{pipeline.path}/preview", status=400)


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ({"cron": "0 25 * * *"}, "'cron'.*bad hour"),
        ({"cron": "0 2 * * *", "timeZone": "Europe/Berln"}, "'timeZone'.*Europe/Berlin"),
        ({"cron": "*/15 * * * *", "jitterSeconds": 900}, "'jitterSeconds'.*less than the 900 seconds"),
        ({"cron": "0 2 * * *", "overlap": "sometimes"}, "sometimes"),
        ({"cron": "0 2 * * *", "catchUpLimit": 0}, "catchUpLimit|>= 1"),
        ({"cron": "0 2 * * *", "timezone": "UTC"}, "timezone"),
    ],
)
def test_a_wrong_schedule_is_refused_and_nothing_is_written(api: Any, schedule: dict[str, Any], fault: str) -> None:
    api.workflow()
    for path, method, body in (
        ("/api/v1/pipelines/preview", "POST", schedule),
        ("/api/v1/pipelines", "PUT", {"name": "wrong", "workflow": "invoices", "schedule": schedule}),
    ):
        refused = api.call(method, path, body, status=400)
        assert re.search(fault, refused["detail"]), refused
    assert all(row["name"] != "wrong" for row in api.get("/api/v1/pipelines")["pipelines"])


def test_the_shortest_interval_is_a_setting(limited_api: Any) -> None:
    api = limited_api(min_schedule_interval_seconds=1800)
    api.workflow()
    refused = api.post("/api/v1/pipelines/preview", {"cron": "*/15 * * * *"}, status=400)
    assert "900 seconds" in refused["detail"] and "MIN_SCHEDULE_INTERVAL_SECONDS" in refused["detail"]
    api.post("/api/v1/pipelines/preview", {"cron": "*/30 * * * *"})


def test_ticks_are_paged_and_forgotten(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, cron="0 * * * *", catchUp="none")
    at = int(time.time()) // 3600 * 3600 - 9 * 3600
    fresh_api.write("UPDATE pipelines SET next_tick_at = :at, next_run_at = :at", at=at)
    tick(fresh_api)
    seen, after = [], ""
    while True:
        page = fresh_api.get(f"{pipeline.path}/ticks?limit=4{after}")
        seen += [row["scheduled_for"] for row in page["ticks"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 10 and seen == sorted(seen, reverse=True)
    fresh_api.write(
        "UPDATE schedule_ticks SET decided_at = decided_at - 91 * 86400 WHERE scheduled_for < :at", at=at + 5
    )
    fresh_api.post("/internal/v1/sweep/")
    assert len(pipeline.outcomes) == 9


def test_what_is_overdue_can_be_watched(fresh_api: Any) -> None:
    def gauges() -> dict[str, float]:
        answer = fresh_api.client.get(
            "/metrics", headers={"Authorization": fresh_api.last.request.headers["authorization"]}
        )
        lines = [line.split() for line in answer.text.splitlines() if line.startswith("docfleet_schedule")]
        return {name: float(value) for name, value in lines}

    pipeline = Scheduled(fresh_api)
    assert gauges() == {"docfleet_schedules_active": 1.0, "docfleet_schedule_overdue_seconds": 0.0}
    pipeline.due(300)
    assert 300 <= gauges()["docfleet_schedule_overdue_seconds"] < 400
    fresh_api.post(f"{pipeline.path}/pause")
    assert gauges() == {"docfleet_schedules_active": 0.0, "docfleet_schedule_overdue_seconds": 0.0}
