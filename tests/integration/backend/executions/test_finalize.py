"""Executions are finalized once, when their last file is done."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["COMPLETED", "COMPLETED"], "COMPLETED"),
        (["COMPLETED", "ERROR"], "COMPLETED"),
        (["ERROR", "ERROR"], "ERROR"),
        (["STOPPED", "STOPPED"], "STOPPED"),
        (["STOPPED", "ERROR"], "ERROR"),
    ],
)
def test_the_final_status_follows_from_the_files(api: Any, statuses: list[str], expected: str) -> None:
    run = api.run().ready(len(statuses))
    held = run.take(len(statuses))
    run.report(outcomes=[api.outcome(claim, status) for claim, status in zip(held, statuses, strict=True)])
    assert run.status == expected


def test_finalize_waits_for_open_files_and_for_the_start(api: Any) -> None:
    run = api.run()
    assert run.finalize()["finalized"] is False and run.status == "PENDING"
    run.register(api.documents(1))
    assert run.finalize()["open_files"] == 1
    run.start()
    answer = run.finalize()
    assert answer["finalized"] is False and answer["open_files"] == 1 and answer["status"] == "EXECUTING"


def test_an_execution_whose_listing_goes_on_is_not_done(api: Any) -> None:
    run = api.run()
    run.register([{"file_name": "x", "file_path": "x", "rejection": "bad"}])
    assert run.finalize(empty_reason="no_match")["finalized"] is False
    assert run.finalize()["status"] == "EXECUTING"
    run.start()
    assert run.finalize()["status"] == "ERROR"


def test_finalize_with_an_error_ends_open_files_with_the_cause(api: Any) -> None:
    run = api.run()
    run.register([*api.documents(2), {"file_name": "x", "file_path": "x", "rejection": "bad"}])
    answer = run.finalize(error="the source /x vanished" + "x" * 5000, error_code="source_vanished")
    assert answer["finalized"] is True and answer["status"] == "ERROR"
    info = run.state()["execution"]
    assert info["error_message"].startswith("the source /x vanished") and len(info["error_message"]) == 2000
    assert (info["successful_files"], info["failed_files"]) == (0, 3)
    assert [file["error_code"] for file in run.files()] == ["source_vanished"] * 2 + ["invalid_input"]
    assert run.start()["reason"] == "already_final"
    assert run.claim() == {"stop": True}


@pytest.mark.parametrize("reason", ["no_match", "all_filtered"])
def test_an_empty_execution_says_why(api: Any, reason: str) -> None:
    run = api.run()
    assert run.finalize(empty_reason=reason)["finalized"] is True
    info = run.state()["execution"]
    assert (info["status"], info["empty_reason"], info["total_files"]) == ("COMPLETED", reason, 0)


def test_a_second_orchestrator_that_cannot_list_the_source_ends_nothing(fresh_api: Any) -> None:
    """Its message came twice. The batches of the first are at work, and what they deliver has to count."""
    run = fresh_api.run().ready(2)
    held = run.take(1)
    answer = run.finalize(error="the source does not answer", error_code="source_unavailable")
    assert answer["status"] == "EXECUTING" and answer["open_files"] == 2
    assert run.report(held)["written"] == 1
    run.report(run.take(1))
    assert run.status == "COMPLETED"


def test_a_listing_that_breaks_off_ends_what_it_has_registered(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.register(fresh_api.documents(2))
    assert run.finalize(error="the source vanished")["status"] == "ERROR"
    assert {item["status"] for item in run.files()} == {"ERROR"}
