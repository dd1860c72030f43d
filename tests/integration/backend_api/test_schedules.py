"""Schedules of pipelines: what is due begins once, whoever asks and however often."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from docfleet.backend.executions import ticking

TICK = "/internal/v1/schedules/tick/"
EVERY_MINUTE = {"cron": "* * * * *"}


class Scheduled:
    """A pipeline of ``api`` with a schedule."""

    def __init__(self, api: Any, name: str = "nightly", **schedule: Any) -> None:
        self.api = api
        api.workflow()
        self.body = {"name": name, "workflow": "invoices", "schedule": {**EVERY_MINUTE, **schedule}}
        self.id = api.put("/api/v1/pipelines", self.body)["pipeline_id"]
        self.path = f"/api/v1/pipelines/{self.id}"

    def due(self, seconds: float = 10.0) -> int:
        """Its next tick was so many seconds ago, rounded to a minute of the hour that is its only one."""
        at = int(time.time() - seconds) // 60 * 60
        self.api.write(
            "UPDATE pipelines SET next_tick_at = :at, next_run_at = :at, cron_string = :cron WHERE id = :id",
            at=at,
            cron=f"{at // 60 % 60} * * * *",
            id=self.id,
        )
        return at

    @property
    def outcomes(self) -> list[str]:
        """Of its ticks, oldest first."""
        return [tick["outcome"] for tick in self.api.get(f"{self.path}/ticks")["ticks"]][::-1]

    @property
    def runs(self) -> list[str]:
        """Its executions, oldest first."""
        with self.api.database.reading() as connection:
            rows = connection.execute(
                text("SELECT id FROM executions WHERE pipeline_id = :id ORDER BY created_at"), {"id": self.id}
            )
            return [row.id for row in rows]

    @property
    def shown(self) -> Any:
        return self.api.get(self.path)

    def end(self, run: str) -> None:
        """The source of this run was empty."""
        self.api.execution(run).finalize(empty_reason="no_match")


def tick(api: Any) -> dict[str, int]:
    """One look at the schedules; what it did that is not nothing."""
    return {name: number for name, number in api.post(TICK).items() if number}


def test_a_due_pipeline_runs_once_and_is_sent(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, timeZone="Europe/Berlin")
    assert tick(fresh_api) == {} and pipeline.outcomes == []
    pipeline.due()
    assert tick(fresh_api) == {"fired": 1}
    assert tick(fresh_api) == {}
    (run,) = pipeline.runs
    (sent,) = fresh_api.recorder.sent
    assert (sent[0], sent[1][2], sent[3]) == ("async_execute_bin", run, "celery")
    assert (sent[2]["pipeline_id"], sent[2]["scheduled"]) == (pipeline.id, True)
    assert pipeline.shown["last_run_status"] == "INPROGRESS"
    assert pipeline.shown["next_run_time"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    ticks = fresh_api.get(f"{pipeline.path}/ticks")["ticks"]
    assert [(row["outcome"], row["execution_id"]) for row in ticks] == [("fired", run)]
    pipeline.end(run)
    shown = pipeline.shown
    assert (shown["run_count"], shown["last_run_status"]) == (1, "SUCCESS") and shown["last_run_time"]


def test_a_tick_that_was_decided_is_never_fired_again(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, overlap="allow")
    at = pipeline.due()
    assert tick(fresh_api) == {"fired": 1}
    fresh_api.write("UPDATE pipelines SET next_tick_at = :at, next_run_at = :at", at=at)
    assert tick(fresh_api) == {} and len(pipeline.runs) == 1


def test_many_schedulers_at_once_fire_each_pipeline_once(fresh_api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ticking, "PIPELINES_A_TRANSACTION", 4)
    pipelines = [Scheduled(fresh_api, name=f"p{number}") for number in range(30)]
    for pipeline in pipelines:
        pipeline.due()
    start = threading.Barrier(4)

    def look(_: int) -> int:
        start.wait()
        return int(fresh_api.post(TICK)["fired"])

    with ThreadPoolExecutor(4) as pool:
        fired = list(pool.map(look, range(4)))
    fired.append(tick(fresh_api).get("fired", 0))  # those that were passed by as somebody was at them
    assert sum(fired) == len(pipelines)
    assert all(len(pipeline.runs) == 1 for pipeline in pipelines)
    assert len(fresh_api.recorder.sent) == len({sent[1][2] for sent in fresh_api.recorder.sent}) == len(pipelines)


def test_overlap_skip_leaves_ticks_out_while_a_run_is_open(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api)
    fresh_api.post(f"{pipeline.path}/run", status=201)
    pipeline.due()
    assert tick(fresh_api) == {"skipped": 1}
    pipeline.end(pipeline.runs[0])
    fresh_api.write("DELETE FROM schedule_ticks")
    pipeline.due()
    assert tick(fresh_api) == {"fired": 1} and len(pipeline.runs) == 2


def test_overlap_queue_one_runs_after_the_open_one(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api, overlap="queue_one")
    fresh_api.post(f"{pipeline.path}/run", status=201)
    pipeline.due()
    assert tick(fresh_api) == {"queued": 1}
    pipeline.due(70)
    assert tick(fresh_api) == {"skipped": 1}  # the other one is there already
    assert tick(fresh_api) == {}
    pipeline.end(pipeline.runs[0])
    assert tick(fresh_api) == {"fired": 1}
    assert pipeline.outcomes == ["skipped", "fired"] and len(pipeline.runs) == 2
    assert tick(fresh_api) == {}


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


@pytest.mark.parametrize(
    ("catch_up", "result"),
    [("none", {"missed": 10}), ("latest", {"fired": 1, "missed": 9}), ("all", {"fired": 1, "queued": 3, "missed": 6})],
)
def test_catch_up_after_downtime(fresh_api: Any, catch_up: str, result: dict[str, int]) -> None:
    pipeline = Scheduled(fresh_api, cron="0 * * * *", catchUp=catch_up, catchUpLimit=4)
    at = int(time.time()) // 3600 * 3600 - 9 * 3600
    fresh_api.write("UPDATE pipelines SET next_tick_at = :at, next_run_at = :at", at=at)
    # Within two minutes of a full hour its tick is not late.
    if time.time() % 3600 < 125:
        pytest.skip("the newest tick is just due")
    assert tick(fresh_api) == result
    done = 0
    while len(pipeline.runs) > done:
        pipeline.end(pipeline.runs[done])
        done += 1
        tick(fresh_api)
    assert pipeline.outcomes == ["missed"] * result["missed"] + ["fired"] * (10 - result["missed"])
    assert done == 10 - result["missed"]


def test_what_cannot_be_sent_waits_for_the_sweep(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api)
    pipeline.due()
    fresh_api.recorder.down = True
    assert tick(fresh_api) == {"fired": 1}
    fresh_api.recorder.down = False
    (run,) = pipeline.runs
    assert fresh_api.execution(run).status == "PENDING" and not fresh_api.recorder.sent
    fresh_api.write("UPDATE executions SET progress_at = progress_at - 1000, created_at = created_at - 1000")
    fresh_api.post("/internal/v1/sweep/")
    assert [sent[1][2] for sent in fresh_api.recorder.sent] == [run]


def test_a_pipeline_that_is_refused_or_broken_keeps_no_other_from_its_turn(fresh_api: Any) -> None:
    broken, fine = Scheduled(fresh_api, name="broken"), Scheduled(fresh_api, name="fine")
    fresh_api.put("/api/v1/workflows", fresh_api.spec(name="reviewed"))
    refused = Scheduled(fresh_api, name="refused")
    fresh_api.put("/api/v1/pipelines", {**refused.body, "workflow": "reviewed"})
    fresh_api.write(
        "UPDATE workflows SET manual_review = :review WHERE workflow_name = 'reviewed'",
        review='{"review_required": true}',
    )
    for pipeline in (broken, refused, fine):
        pipeline.due()
    fresh_api.write("UPDATE pipelines SET cron_string = 'not cron' WHERE id = :id", id=broken.id)
    assert tick(fresh_api) == {"fired": 1, "refused": 1, "failed": 1}
    (told,) = fresh_api.get(f"{refused.path}/ticks")["ticks"]
    assert told["outcome"] == "refused" and "review" in told["detail"]
    assert len(fine.runs) == 1 and refused.runs == broken.runs == []
    assert tick(fresh_api) == {}, "a broken pipeline is looked at again at once"


def test_the_original_s_task_runs_a_pipeline_once_for_each_message(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api)
    path = f"/internal/v1/pipeline/{pipeline.id}/run/"
    first = fresh_api.post(path, Idempotency_Key="task:1")
    assert fresh_api.post(path, Idempotency_Key="task:1") == first
    second = fresh_api.post(path, Idempotency_Key="task:2")
    assert pipeline.runs == [first["execution_id"], second["execution_id"]]
    assert [sent[1][2] for sent in fresh_api.recorder.sent] == pipeline.runs
    fresh_api.other().post(path, status=404)


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


def test_a_preview_shows_local_time_and_utc(api: Any) -> None:
    answer = api.post("/api/v1/pipelines/preview?count=3", {"cron": "30 2 * * *", "timeZone": "Asia/Kathmandu"})
    assert [run["time"][10:] for run in answer["runs"]] == ["T02:30:00+05:45"] * 3
    assert all(run["utc"][10:19] == "T20:45:00" for run in answer["runs"])
    pipeline = Scheduled(api, cron="0 0 1 1 *")
    shown = api.get(f"{pipeline.path}/preview?count=2")
    assert len(shown["runs"]) == 2 and shown["name"] == "nightly"


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


def test_a_queued_tick_waits_for_a_run_that_began_since_it_was_looked_at(fresh_api: Any) -> None:
    """Another scheduler was faster: what this one saw as it took the lock is old."""
    one = Scheduled(fresh_api, overlap="queue_one")
    one.due()
    fresh_api.post(TICK)
    (first,) = one.runs
    fresh_api.write(
        "INSERT INTO schedule_ticks (pipeline_id, scheduled_for, outcome, decided_at) VALUES (:id, 60, 'queued', 0)",
        id=one.id,
    )
    ticker = ticking.Ticker(fresh_api.database, None, None, None)  # type: ignore[arg-type]
    with fresh_api.database.writing() as connection:
        row = connection.execute(text("SELECT * FROM pipelines WHERE id = :id"), {"id": one.id}).one()
        assert ticker._oldest_queued(row, connection, None) == []
    assert one.runs == [first] and "queued" in one.outcomes
