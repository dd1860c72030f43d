"""Register, claim, report, finalize: the protocol between workers and the database."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import event, select

from docfleet.backend.executions import claims, reports, repository
from docfleet.backend.tables.files import file_executions
from docfleet.core.batch_calls import ClaimRequest, ReportRequest
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.files import FileHashData
from docfleet.core.names import QueueName, TaskName

# -- register ----------------------------------------------------------------------------------------------


def test_files_are_numbered_over_pages_and_the_execution_starts(api: Any) -> None:
    run = api.run()
    assert run.status == "PENDING"
    run.register(api.documents(3), page=1)
    assert run.status == "EXECUTING"
    answer = run.register(api.documents(2, "b/"), page=2)
    assert answer == {"registered": 2, "total_files": 5}
    assert [file["file_number"] for file in run.files()] == [1, 2, 3, 4, 5]


def test_a_repeated_page_answers_alike_and_writes_nothing(api: Any) -> None:
    run = api.run()
    first = run.register([*api.documents(2), *api.documents(1)], page=1)
    before = run.state()
    assert run.register([*api.documents(2), *api.documents(1)], page=1) == first
    assert first == {"registered": 2, "total_files": 2, "skipped": {"duplicate": 1}}
    assert run.state() == before


def test_a_page_that_changed_between_two_listings_adds_what_is_new(api: Any) -> None:
    run = api.run()
    run.register(api.documents(3), page=1, limit=4)
    shifted = [*api.documents(3)[1:], {"file_name": "late.pdf", "file_path": "late.pdf"}, *api.documents(1, "x/")]
    answer = run.register(shifted, page=1, limit=4)
    assert answer == {"registered": 1, "total_files": 4, "skipped": {"over_limit": 1}, "full": True}
    assert run.register(shifted, page=1, limit=4) == answer
    assert [file["name"] for file in run.files()] == ["f1.pdf", "f2.pdf", "f3.pdf", "late.pdf"]
    assert run.state()["skipped"] == {"over_limit": 1}


def test_the_same_file_on_another_page_is_a_duplicate(api: Any) -> None:
    run = api.run()
    run.register(api.documents(2), page=1)
    answer = run.register([*api.documents(3), *api.documents(1, "other/")], page=2)
    assert answer["skipped"] == {"duplicate": 2}
    assert [file["path"] for file in run.files()] == ["f1.pdf", "f2.pdf", "f3.pdf", "other/f1.pdf"]


def test_the_limit_is_kept_over_pages(api: Any) -> None:
    run = api.run()
    assert "full" not in run.register(api.documents(3), page=1, limit=4)
    answer = run.register(api.documents(3, "b/"), page=2, limit=4)
    assert answer == {"registered": 1, "total_files": 4, "skipped": {"over_limit": 2}, "full": True}


def test_a_rejected_entry_is_a_failed_file_with_its_reason(api: Any) -> None:
    bad = {"file_name": "b", "file_path": "b", "rejection": "size is missing"}
    run = api.run().ready([bad, *api.documents(1)])
    files = run.files()
    assert [(file["status"], file["error"]) for file in files] == [("ERROR", "size is missing"), ("PENDING", None)]
    assert len(run.claim()["claims"]) == 1


def test_odd_names_and_long_paths_survive(api: Any) -> None:
    names = ['it\'s "x"\n.pdf', "日本語.pdf", "a\u0000b.pdf", "x" * 250, "😀.pdf"]
    entries = [{"file_name": name, "file_path": f"d/{name}"} for name in names]
    entries.append({"file_name": "deep.pdf", "file_path": "ö" * 4096})
    entries.append({"file_name": "deeper.pdf", "file_path": "p" * 4097})
    run = api.run().ready(entries)
    claimed = {claim["file"]["file_name"]: claim["file"]["file_path"] for claim in run.take()}
    assert claimed == {entry["file_name"]: entry["file_path"] for entry in entries[:-1]}
    assert "longer than 4096" in run.files()[-1]["error"]


def test_every_field_of_a_file_comes_back_from_a_claim(api: Any) -> None:
    file = FileHashData(
        file_name="a.pdf",
        file_path="x/a.pdf",
        file_hash="h",
        file_size=2**40,
        mime_type="application/pdf",
        provider_file_uuid="u-1",
        fs_metadata={"modified_at": 12.5},
        hitl_packet_id="p-1",
        hitl_queue_name="q",
        is_manualreview_required=True,
    )
    run = api.run().ready([file.to_dict()])
    assert run.claim()["claims"][0]["file"] == file.to_dict() | {"file_number": 1}


def test_a_page_after_the_start_is_not_taken(api: Any) -> None:
    run = api.run().ready(2)
    assert run.register(api.documents(3, "late/"), page=9) == {"registered": 0, "total_files": 2, "full": True}
    assert len(run.files()) == 2


def test_start_happens_once(api: Any) -> None:
    run = api.run()
    assert run.start() == {"status": "skipped", "total_files": 0, "reason": "no_files"}
    run.register(api.documents(1))
    assert run.start(3) == {"status": "started", "total_files": 1}
    assert run.start(3) == {"status": "skipped", "total_files": 1, "reason": "already_started"}
    api.post(f"/api/v1/executions/{run.id}/stop")
    assert run.start(3)["reason"] == "already_final"


# -- claim -------------------------------------------------------------------------------------------------


def test_a_slice_takes_its_own_files_then_a_few_of_its_siblings(api: Any) -> None:
    run = api.run().ready(12, batch_count=3)
    numbers = []
    while claimed := run.claim(limit=4, batch_index=1, batch_count=3).get("claims"):
        assert len(claimed) <= 4
        numbers.append([claim["file"]["file_number"] for claim in claimed])
    taken = [number for part in numbers for number in part]
    assert taken[:4] == [2, 5, 8, 11]
    assert all(len(part) == 1 for part in numbers if not set(part) <= {2, 5, 8, 11})
    assert sorted(taken) == list(range(1, 13))


def test_claims_shrink_towards_the_end(api: Any) -> None:
    run = api.run().ready(40, batch_count=2)
    sizes = []
    while claimed := run.claim(limit=8, batch_index=0, batch_count=2).get("claims"):
        sizes.append(len(claimed))
    assert sizes[0] == 8 and sizes[-1] == 1 and sum(sizes) == 40


def test_explicit_files_are_told_apart(api: Any) -> None:
    run = api.run().ready(3)
    first, second = run.take(2)
    run.report([first])
    ids = [file["file_execution_id"] for file in run.files()]
    answer = run.claim(file_execution_ids=ids, owner="another")
    assert (answer["already_done"], answer["active_elsewhere"]) == (1, 1)
    assert [claim["file"]["file_number"] for claim in answer["claims"]] == [3]
    assert second["file_execution_id"] not in {claim["file_execution_id"] for claim in answer["claims"]}


def test_an_expired_lease_is_claimed_again_with_a_new_attempt(api: Any) -> None:
    run = api.run().ready(1)
    old = run.claim(owner="dies")["claims"][0]
    assert "claims" not in run.claim(owner="next")
    run.expire_leases()
    new = run.claim(owner="next")["claims"][0]
    assert (old["attempt"], new["attempt"]) == (1, 2)
    answer = run.report([old], owner="dies")
    assert answer["refused"] == [{"file_execution_id": old["file_execution_id"], "reason": "fenced"}]
    assert run.files()[0]["status"] == "EXECUTING"
    assert run.report([new], owner="next")["written"] == 1


def test_giving_back_costs_no_attempt_and_fences_the_giver(api: Any) -> None:
    run = api.run().ready(1)
    for attempt in range(1, 12):  # more than the cap of losses
        held = run.claim(owner=f"w{attempt}")["claims"][0]
        assert held["attempt"] == attempt
        run.report(owner=f"w{attempt}", release=[{k: held[k] for k in ("file_execution_id", "attempt")}])
    assert run.claim(owner="last")["claims"][0]["attempt"] == 12
    assert run.report([held], owner="w6")["refused"][0]["reason"] == "fenced"


def test_renewing_keeps_a_lease_and_tells_what_is_lost(api: Any) -> None:
    run = api.run().ready(2)
    leases = [{k: claim[k] for k in ("file_execution_id", "attempt")} for claim in run.take(2)]
    api.write("UPDATE file_executions SET lease_until = 1 WHERE file_number = 2 AND execution_id = :e", e=run.id)
    taken = run.claim(owner="thief")["claims"][0]
    body = {"owner": "worker", "lease_seconds": 600, "leases": leases}
    assert api.post(f"{run.path}/files/renew/", body) == {"lost": [taken["file_execution_id"]]}
    api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    answer = api.post(f"{run.path}/files/renew/", body)
    assert answer["stop"] is True and answer["lost"] == [taken["file_execution_id"]]


def test_no_file_is_claimed_twice_by_threads(api: Any) -> None:
    run = api.run().ready(120, batch_count=4)
    taken: list[tuple[str, int]] = []
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work(index: int) -> None:
        request = ClaimRequest(owner=f"t{index}", lease_seconds=60, limit=7, batch_index=index % 4, batch_count=4)
        try:
            while True:
                with api.database.writing() as connection:
                    execution = repository.lock_execution(connection, api.organization, run.id)
                    found = claims.claim(connection, execution, request, claims.Caps(3, 10)).claims
                if not found:
                    return
                with lock:
                    taken.extend((claim.file_execution_id, claim.attempt) for claim in found)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(taken) == 120 and len({file for file, _ in taken}) == 120
    assert {attempt for _, attempt in taken} == {1}


# -- report and finalize -----------------------------------------------------------------------------------


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


# -- cost --------------------------------------------------------------------------------------------------


def _statements(api: Any, action: Any) -> int:
    engine = api.client.app.state["engine"]
    count = 0

    def seen(*_: Any) -> None:
        nonlocal count
        count += 1

    event.listen(engine, "before_cursor_execute", seen)
    try:
        action()
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    return count


def test_fifty_files_cost_a_handful_of_statements(api: Any) -> None:
    run = api.run()
    assert _statements(api, lambda: run.register(api.documents(500))) <= 20
    run.start(1)
    held: list[Any] = []
    assert _statements(api, lambda: held.extend(run.claim(limit=50)["claims"])) <= 7
    assert len(held) == 50
    claim = {"owner": "worker", "lease_seconds": 60, "limit": 50}
    body = [api.outcome(one, pages=1, usage={"total_tokens": 1}) for one in held]
    assert _statements(api, lambda: run.report(outcomes=body, claim=claim)) <= 16


def test_answers_do_not_grow_with_the_number_of_files(api: Any) -> None:
    sizes = []
    for count in (10, 400):
        run = api.run(api.workflow(name=f"size-{count}"))
        found = [len(str(run.register(api.documents(count))))]
        found.append(len(str(run.start(2))))
        held = run.claim(limit=5)["claims"]
        found.append(len(str(run.report(held[:1]))))
        found.append(len(str(api.get(f"{run.path}/"))))
        found.append(len(str(run.state())))
        found.append(len(str(run.finalize())))
        sizes.append(found)
    assert all(abs(small - large) <= 40 for small, large in zip(*sizes, strict=True)), sizes


def test_rows_of_the_context_are_off_by_default_and_bounded(api: Any) -> None:
    run = api.run().ready(120)
    assert "file_executions" not in api.get(f"{run.path}/")
    assert len(api.get(f"{run.path}/?include_cost=true?file_execution=true")["file_executions"]) == 100
    with api.database.reading() as connection:
        assert connection.execute(select(file_executions.c.id).where(file_executions.c.execution_id == run.id)).all()


def test_a_message_that_got_through_without_its_confirmation_is_not_failed(fresh_api: Any) -> None:
    """Workers are at its files, and go on."""
    workflow = fresh_api.workflow()
    held: list[Any] = []

    def send(task: TaskName, args: list[Any], kwargs: Any, queue: QueueName) -> None:
        run = fresh_api.execution(args[2]).ready(2)
        held.extend(run.take(2))
        run.report(held[:1])
        raise BrokerUnavailable("no confirmation in time")

    fresh_api.recorder.send = send
    run = fresh_api.run(workflow)
    assert run.report(held[1:])["written"] == 1
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
