"""Registration of files: pages, duplicates, limits, and the start that comes with it."""

from __future__ import annotations

from typing import Any

START = {"batch_count": 2, "q_file_no_list": [1]}


def register(run: Any, files: list[Any], **more: Any) -> Any:
    return run.api.post(f"{run.path}/files/register/", {"page": 1, "files": files, "start": START, **more})


def test_a_page_that_is_the_complete_listing_starts_the_execution(api: Any) -> None:
    run = api.run()
    files = api.documents(2)
    assert register(run, files)["started"] == {"status": "started", "total_files": 2, "batches": 2}
    assert len(run.take()) == 2
    # An answer that was lost is asked for again: nobody sends the batches twice.
    assert register(run, files)["started"] == {"status": "skipped", "total_files": 2, "reason": "already_started"}


def test_a_page_whose_files_were_not_all_registered_starts_nothing(api: Any) -> None:
    run = api.run()
    answer = register(run, api.documents(3), limit=2)
    assert answer["total_files"] == 2 and "started" not in answer
    assert run.start() == {"status": "started", "total_files": 2, "batches": 1}


def test_an_execution_that_is_final_is_not_started(api: Any) -> None:
    run = api.run()
    run.register(api.documents(1))
    api.post(f"/api/v1/executions/{run.id}/stop")
    answer = register(run, api.documents(1))
    assert answer["stop"] and "started" not in answer


def test_a_call_whose_files_are_all_refused_ends_with_its_registration(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"text"))
    message = next(sent for sent in api.recorder.sent if sent[1][2] == run.id)
    files = [{**file, "rejection": "unsupported"} for file in message[1][3].values()]
    answer = register(run, files)
    assert answer["started"] == {"status": "skipped", "total_files": 1, "reason": "nothing_open"}
    assert run.status == "ERROR"


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
    entries.append({"file_name": "exceeds_depth.pdf", "file_path": "p" * 4097})
    run = api.run().ready(entries)
    claimed = {claim["file"]["file_name"]: claim["file"]["file_path"] for claim in run.take()}
    assert claimed == {entry["file_name"]: entry["file_path"] for entry in entries[:-1]}
    assert "longer than 4096" in run.files()[-1]["error"]


def test_a_page_after_the_start_is_not_taken(api: Any) -> None:
    run = api.run().ready(2)
    assert run.register(api.documents(3, "late/"), page=9) == {"registered": 0, "total_files": 2, "full": True}
    assert len(run.files()) == 2


def test_explicit_files_are_distinguished(api: Any) -> None:
    run = api.run().ready(3)
    first, second = run.take(2)
    run.report([first])
    ids = [file["file_execution_id"] for file in run.files()]
    answer = run.claim(file_execution_ids=ids, owner="another")
    assert (answer["already_done"], answer["active_elsewhere"]) == (1, 1)
    assert [claim["file"]["file_number"] for claim in answer["claims"]] == [3]
    assert second["file_execution_id"] not in {claim["file_execution_id"] for claim in answer["claims"]}


LEFT_OUT = {"counts": {"broken_link": 7, "too_deep": 1}, "examples": {"broken_link": ["a", "b"], "too_deep": ["d"]}}


def test_what_the_listing_left_out_is_kept_beside_what_was_skipped(api: Any) -> None:
    run = api.run()
    files = [*api.documents(2), *api.documents(1)]
    run.register(files)
    answer = run.api.post(f"{run.path}/start/", {"batch_count": 1, "left_out": LEFT_OUT})
    assert answer["status"] == "started"
    state = run.state()
    assert state["skipped"] == {"duplicate": 1, "broken_link": 7, "too_deep": 1}
    assert state["skipped_examples"] == {"duplicate": ["f1.pdf"], "broken_link": ["a", "b"], "too_deep": ["d"]}
    assert state["execution"]["skipped_files"] == 9


def test_a_source_with_nothing_but_what_is_left_out_says_so(api: Any) -> None:
    run = api.run()
    for _ in range(2):  # a repeated call counts nothing twice
        run.finalize(empty_reason="no_match", left_out=LEFT_OUT)
    assert run.status == "COMPLETED"
    assert run.state()["skipped"] == LEFT_OUT["counts"]


def test_only_the_first_paths_are_kept(api: Any) -> None:
    run = api.run()
    run.register([*api.documents(20), *api.documents(20)])
    run.register(api.documents(20), page=2)
    state = run.state()
    assert state["skipped"] == {"duplicate": 40}
    assert state["skipped_examples"] == {"duplicate": [f"f{number}.pdf" for number in range(1, 6)]}
