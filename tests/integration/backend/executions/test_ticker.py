"""What is due runs once, whoever requests it and however often."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from docfleet.backend.executions import ticker as ticker_module
from tests.integration.backend.schedules.scheduled import TICK, Scheduled, tick


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
    monkeypatch.setattr(ticker_module, "PIPELINES_PER_TRANSACTION", 4)
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
    ticker = ticker_module.Ticker(fresh_api.database, None, None, None)  # type: ignore[arg-type]
    with fresh_api.database.writing() as connection:
        row = connection.execute(text("SELECT * FROM pipelines WHERE id = :id"), {"id": one.id}).one()
        assert ticker._oldest_queued(row, connection, None) == []
    assert one.runs == [first] and "queued" in one.outcomes
