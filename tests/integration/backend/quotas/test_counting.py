"""What an organization has used is counted once, and stays counted."""

from __future__ import annotations

from typing import Any

from docfleet.backend.usage import repository as usage
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from tests.integration.backend.quotas.organization import executions, files_used, limit, next_day, used

SWEEP = "/internal/v1/sweep/"


def test_files_are_counted_when_they_are_registered_and_skipped_ones_are_not(api: Any) -> None:
    workflow = api.workflow()
    run = api.run(workflow)
    assert used(api) == {"files_per_day": 0, "pages_per_day": 0, "concurrent_executions": 1}
    rejected = {"file_name": "b", "file_path": "b", "rejection": "size is missing"}
    run.register([*api.documents(3), *api.documents(1), rejected])
    assert files_used(api) == 3
    run.register([*api.documents(3), *api.documents(1), rejected])
    assert files_used(api) == 3, "a page that was repeated counts once"
    run.register([*api.documents(2), {"file_name": "late.pdf", "file_path": "late.pdf"}])
    assert files_used(api) == 4, "of a page that changed, what is new counts"
    run.start()
    run.report(run.take())
    assert api.run(workflow).register(api.documents(3))["skipped"] == {"already_processed": 3}
    assert files_used(api) == 4


def test_pages_are_counted_when_they_are_reported_and_once(api: Any) -> None:
    run = api.run().ready(3)
    first, second, lost = run.take()
    outcomes = [api.outcome(first, pages=7), api.outcome(second, "ERROR", pages=5)]
    run.report(outcomes=outcomes)
    run.report(outcomes=outcomes)
    assert used(api)["pages_per_day"] == 12
    run.expire_leases()
    (again,) = run.take(1, owner="another")
    run.report(outcomes=[api.outcome(again, pages=3)], owner="another")
    run.report(outcomes=[api.outcome(lost, pages=3)])
    assert used(api)["pages_per_day"] == 15, "the attempt that was lost counts no pages"


def test_a_file_whose_pages_are_written_is_not_counted_again(api: Any) -> None:
    outcomes = [
        FileOutcome(file_execution_id=name, attempt=1, status=ExecutionStatus.COMPLETED, pages=2) for name in "ab"
    ]
    run = api.run()
    outcomes[0].file_execution_id = run.id
    outcomes[1].file_execution_id = f"{run.id}-2"
    with api.database.writing() as connection:
        assert usage.record(connection, api.organization, outcomes[:1]) == 2
        assert usage.record(connection, api.organization, outcomes) == 2


def test_a_transaction_that_fails_counts_nothing(api: Any, monkeypatch: Any) -> None:
    run = api.run().ready(1)
    (claim,) = run.take()
    report = {"owner": "worker", "lease_seconds": 60, "outcomes": [api.outcome(claim, pages=2)]}
    with monkeypatch.context() as broken:
        broken.setattr("docfleet.backend.http.workers.executions.point", lambda _: 1 / 0)
        api.post(f"{run.path}/files/report/", report, status=500)
    assert used(api)["pages_per_day"] == 0
    api.post(f"{run.path}/files/report/", report)
    assert used(api)["pages_per_day"] == 2


def test_a_retry_counts_its_files_once_it_starts(api: Any) -> None:
    run = api.run().ready([*api.documents(2), {"file_name": "b", "file_path": "b", "rejection": "bad"}])
    run.report(run.take(), "ERROR")
    assert files_used(api) == 2
    again = api.execution(api.post(f"/api/v1/executions/{run.id}/retry", status=201)["execution_id"])
    assert files_used(api) == 4, "they are reserved from its creation on"
    again.start()
    again.start()
    assert files_used(api) == 4
    again.report(again.take(), "ERROR")
    assert files_used(api) == 4
    third = api.execution(api.post(f"/api/v1/executions/{again.id}/retry", status=201)["execution_id"])
    api.post(f"/api/v1/executions/{third.id}/stop")
    assert files_used(api) == 4, "a retry that ended before its start has processed nothing"


def test_files_of_a_call_are_reserved_until_they_are_counted(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"1"), ("b.txt", b"2"), ("same.txt", b"1"))
    assert files_used(api) == 2
    run.register(list(api.recorder.sent[-1][1][3].values()))
    assert files_used(api) == 2, "what is counted is no longer reserved"
    invoices.work(run)
    assert files_used(api) == 2
    known = invoices.call(("a.txt", b"1"), ("c.txt", b"3"), use_file_history="true")
    assert files_used(api) == 4
    invoices.work(known)
    third = invoices.call(("a.txt", b"1"), ("c.txt", b"3"), use_file_history="true")
    assert files_used(api) == 6, "that they are known shows when they are registered"
    invoices.work(third)
    assert files_used(api) == 4, "an answer from the history is no processed file"


def test_a_call_that_was_not_sent_gives_its_files_back(api: Any) -> None:
    invoices = api.publish()
    api.recorder.down = True
    invoices.post(("a.txt", b"1"), status=422)
    assert used(api) == {"files_per_day": 0, "pages_per_day": 0, "concurrent_executions": 0}


def test_deleting_executions_gives_nothing_back(limited_api: Any) -> None:
    api = limited_api(execution_retention_days=7.0)
    limit(api, files_per_day=2)
    run = api.run().ready(2)
    run.report(outcomes=[api.outcome(claim, pages=4) for claim in run.take()])
    api.write("UPDATE executions SET finished_at = finished_at - 8 * 86400")
    api.post(SWEEP)
    assert executions(api) == 0
    assert used(api) == {"files_per_day": 2, "pages_per_day": 8, "concurrent_executions": 0}


def test_a_day_begins_with_nothing_used(api: Any) -> None:
    run = api.run().ready(2)
    run.report(outcomes=[api.outcome(claim, pages=4) for claim in run.take()])
    next_day(api)
    assert used(api) == {"files_per_day": 0, "pages_per_day": 0, "concurrent_executions": 0}


def test_what_is_left_and_until_when(api: Any) -> None:
    limit(api, files_per_day=10, concurrent_executions=1)
    api.run().ready(3)
    files, pages, open_ones = api.get("/api/v1/quotas")["quotas"]
    assert (files["limit"], files["used"], files["left"]) == (10, 3, 7)
    assert files["resets_at"].endswith("T00:00:00.000+00:00")
    assert pages == {"quota": "pages_per_day", "used": 0, "limit": None, "left": None, "resets_at": files["resets_at"]}
    assert (open_ones["limit"], open_ones["left"], open_ones["resets_at"]) == (1, 0, None)
    assert used(api.other())["files_per_day"] == 0
