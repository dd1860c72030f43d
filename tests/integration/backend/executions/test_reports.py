"""Reports: outcomes of files, counted once, however often they come."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from docfleet.backend.executions import reports
from docfleet.core.batch_calls import ReportRequest


def test_the_last_report_finalizes_and_counts_from_rows(api: Any) -> None:
    run = api.run().ready(4)
    held = run.take(4)
    answer = run.report(held[:2])
    assert answer["written"] == 2 and answer["open_files"] == 2 and "stop" not in answer
    run.report([held[2]], status="ERROR")
    assert run.report([held[3]])["stop"] is True
    info = run.state()["execution"]
    assert (info["status"], info["successful_files"], info["failed_files"]) == ("COMPLETED", 3, 1)
    assert info["execution_time"] > 0
    assert run.finalize()["finalized"] is False


def test_a_repeated_report_is_harmless(api: Any) -> None:
    run = api.run().ready(2)
    held = run.take(1)
    first = run.report(held, outcomes=[api.outcome(held[0], pages=3, usage={"total_tokens": 10})])
    again = run.report(held, outcomes=[api.outcome(held[0], pages=3, usage={"total_tokens": 10})])
    assert first == again and first["written"] == 1
    file_id = held[0]["file_execution_id"]
    tokens = api.get(f"/internal/v1/usage/aggregated-token-count/{file_id}/")["data"]["usage"]
    assert tokens["total_tokens"] == 10
    pages = api.get(f"/internal/v1/usage/aggregated-pages-processed/{file_id}/")["data"]
    assert pages["total_pages_processed"] == 3
    changed = run.report(held, status="ERROR")
    assert changed["refused"] == [{"file_execution_id": file_id, "reason": "already_final"}]


def test_what_an_outcome_says_is_kept(api: Any) -> None:
    run = api.run().ready(1)
    held = run.claim()["claims"][0]
    said = api.outcome(held, "ERROR", outputs=["/out/a"], execution_time=1.5, error="no\u0000pe", file_hash="abc")
    run.report(outcomes=[said])
    file = run.files()[0]
    assert (file["error"], file["error_code"], file["outputs"], file["execution_time"]) == (
        "no\ufffdpe",
        "tool_failed",
        ["/out/a"],
        1.5,
    )
    shown = api.get(f"/internal/v1/file-execution/{file['file_execution_id']}/")
    assert shown["file_hash"] == "abc" and shown["execution_error"] == "no\ufffdpe"


def test_last_reports_at_the_same_time_finalize_once(api: Any) -> None:
    run = api.run().ready(8)
    held = run.take(8)
    answers: list[Any] = []
    barrier = threading.Barrier(8)

    def last(claim: Any) -> None:
        request = ReportRequest.from_dict({"owner": "worker", "lease_seconds": 60, "outcomes": [api.outcome(claim)]})
        barrier.wait()
        with api.database.writing() as connection:
            answers.append(reports.report(connection, api.organization, run.id, request, 5))

    threads = [threading.Thread(target=last, args=(claim,)) for claim in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.open_files for answer in answers) == list(range(8))
    assert [answer.stop for answer in answers].count(True) == 1
    assert run.status == "COMPLETED"


def test_a_number_no_column_holds_costs_its_neighbours_nothing(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    one, two = run.take(2)
    body = {
        "owner": "worker",
        "lease_seconds": 60,
        "outcomes": [fresh_api.outcome(one), fresh_api.outcome(two, pages=2**62)],
    }
    assert fresh_api.post(f"{run.path}/files/report/", body)["written"] == 2


LOST = "/internal/v1/workers/lost-process/"
SWEEP = "/internal/v1/sweep/"


def test_reports_that_are_refused_for_ever_end_with_the_losses(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for number in range(30):
        held = run.take(1, owner=str(number))
        if not held:
            break
        outcome = {**fresh_api.outcome(held[0]), "status": "EXECUTING"}
        body = {"owner": str(number), "lease_seconds": 60, "outcomes": [outcome]}
        fresh_api.post(f"{run.path}/files/report/", body, status=400)
        run.expire_leases()
        fresh_api.post(SWEEP)
    assert run.status == "ERROR" and number == 10


def test_a_report_whose_answer_was_lost_claims_alike(fresh_api: Any) -> None:
    run = fresh_api.run().ready(4)
    first = run.claim(limit=1, owner="me", request_id="r1")["claims"]
    claim = {"owner": "me", "lease_seconds": 60, "limit": 2, "request_id": "r2"}
    answer = run.report(first, owner="me", claim=claim)
    assert answer["claim"]["claims"]
    assert run.report(first, owner="me", claim=claim) == answer
    assert sum(1 for item in run.files() if item["status"] == "EXECUTING") == len(answer["claim"]["claims"])


@pytest.mark.parametrize("body", [{"owner": "", "execution_id": "x"}, {"execution_id": "x"}])
def test_a_report_without_owner_is_refused(fresh_api: Any, body: dict[str, str]) -> None:
    run = fresh_api.run()
    fresh_api.post(LOST, {**body, "execution_id": run.id}, status=400)
