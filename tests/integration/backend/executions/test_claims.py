"""Claims: leases, slices, attempts, and no file twice."""

from __future__ import annotations

import threading
from typing import Any

from docfleet.backend.executions import claims, repository
from docfleet.core.batch_calls import ClaimRequest
from docfleet.core.files import FileHashData


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


def test_renewing_keeps_a_lease_and_names_what_is_lost(api: Any) -> None:
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
                    found = claims.claim(connection, execution, request, claims.Caps(3, 10, 20)).claims
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


def test_a_claim_whose_answer_was_lost_is_answered_alike(fresh_api: Any) -> None:
    run = fresh_api.run().ready(6)
    first = run.claim(limit=2, owner="me", request_id="r1")["claims"]
    assert run.claim(limit=2, owner="me", request_id="r1")["claims"] == first
    other = run.claim(limit=2, owner="you", request_id="r1")["claims"]
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in other}
    more = run.claim(limit=2, owner="me", request_id="r2")["claims"]
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in more}
    assert run.report(first, owner="me")["written"] == len(first)
    lease = {"file_execution_id": more[0]["file_execution_id"], "attempt": 1}
    assert "lost" not in run.api.post(
        f"{run.path}/files/renew/", {"owner": "me", "lease_seconds": 60, "leases": [lease]}
    )
    again = run.claim(limit=2, owner="me", request_id="r1").get("claims", [])
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in again}


def test_who_may_be_given_up_for_the_next_loss_is_claimed_alone(fresh_api: Any) -> None:
    run = fresh_api.run().ready(4)
    for number in range(9):
        assert len(run.take(4, owner=str(number))) == 4
        run.expire_leases()
    assert [item["file"]["file_number"] for item in run.claim(limit=4, owner="next")["claims"]] == [1]
