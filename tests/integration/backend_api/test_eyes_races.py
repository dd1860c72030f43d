"""Two of everything: orchestrators of one execution, callers with one key, reports of one death, faulty rows."""

from __future__ import annotations

from typing import Any

SWEEP = "/internal/v1/sweep/"


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
