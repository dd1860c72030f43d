"""Fair shares from the rows: who yields, who steps back, and what a yield does to files."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from docfleet.backend.executions.fair_share import MESSAGE_SECONDS
from tests.integration.backend.server import Execution, documents

LONG = {"seconds": 1000.0, "pages": 1}
SHORT = {"seconds": 0.1, "pages": 1}


def lease(claim: Any) -> dict[str, Any]:
    return {"file_execution_id": claim["file_execution_id"], "attempt": claim["attempt"]}


def begin(run: Execution, owner: str = "worker", **slot: Any) -> Any:
    """The first claim of a batch."""
    return run.claim(owner=owner, slot=slot)


def go_on(run: Execution, claims: list[Any], slot: dict[str, Any], owner: str = "worker", **more: Any) -> Any:
    """The report of a batch that has processed the first of its files and holds the others."""
    return run.report(claims[:1], owner=owner, renew=[lease(claim) for claim in claims[1:]], slot=slot, **more)


def rows(api: Any, statement: str) -> list[Any]:
    with api.database.reading() as connection:
        return list(connection.execute(text(statement)))


def yields(answer: Any) -> bool:
    return bool(answer.get("slot", {}).get("yield_slot", False))


def test_a_batch_yields_after_its_quantum_and_its_files_lose_nothing(fresh_api: Any) -> None:
    large = fresh_api.run().ready(20, batch_count=2)
    held = begin(large)["claims"]
    small = fresh_api.other().run().ready(1)
    answer = go_on(large, held, LONG, claim={"owner": "worker", "lease_seconds": 60, "limit": 5})
    assert yields(answer) and answer["written"] == 1 and "claim" not in answer and "lost" not in answer
    assert [file["status"] for file in small.files()] == ["PENDING"]
    again = begin(large, "other")["claims"]
    assert {claim["file_execution_id"] for claim in held[1:]} >= {claim["file_execution_id"] for claim in again}
    assert {tuple(row) for row in rows(fresh_api, "SELECT losses, strikes FROM file_executions")} == {(0, 0)}


def test_the_sweep_does_not_send_files_that_a_yield_released(fresh_api: Any) -> None:
    large = fresh_api.run().ready(20, batch_count=2)
    held = begin(large)["claims"]
    fresh_api.other().run().ready(1)
    assert yields(go_on(large, held, LONG))
    before = len(fresh_api.recorder.sent)
    fresh_api.post("/internal/v1/sweep/", {})
    assert len(fresh_api.recorder.sent) == before


@pytest.mark.parametrize(
    ("slot", "left"), [(SHORT, True), (LONG, False)], ids=["within its quantum", "with nothing left to do"]
)
def test_a_batch_keeps_its_slot(fresh_api: Any, slot: dict[str, Any], left: bool) -> None:
    run = fresh_api.run().ready(4 if left else 1)
    held = begin(run)["claims"]
    fresh_api.other().run().ready(1)
    assert not yields(go_on(run, held, slot | {"hinted": True}))


def test_a_batch_keeps_its_slot_while_nobody_waits(fresh_api: Any) -> None:
    run, other = fresh_api.run().ready(4), fresh_api.other().run().ready(1)
    other.take()
    answer = go_on(run, begin(run)["claims"], LONG)
    assert not yields(answer) and not answer["slot"].get("others_wait", False)


def test_an_organization_without_a_slot_gets_one_of_several_at_once(fresh_api: Any) -> None:
    large = fresh_api.run().ready(20, batch_count=2)
    held = begin(large, "one")["claims"]
    begin(large, "two")
    fresh_api.other().run().ready(1)
    assert not yields(go_on(large, held, SHORT, "one")), "not looked at without a hint"
    assert yields(go_on(large, held[1:], SHORT | {"hinted": True}, "one"))


def test_pages_use_up_a_quantum(fresh_api: Any) -> None:
    run = fresh_api.run().ready(20, batch_count=2)
    held = begin(run)["claims"]
    fresh_api.other().run().ready(1)
    assert not yields(go_on(run, held, {"seconds": 0.1, "pages": 499, "hinted": True}))
    held = begin(run)["claims"]
    assert yields(go_on(run, held, {"seconds": 0.1, "pages": 500}))


def test_executions_of_one_organization_take_turns(fresh_api: Any) -> None:
    first = fresh_api.run().ready(documents(20), batch_count=2)
    second = fresh_api.run().ready(documents(20, "second"), batch_count=2)
    held = begin(first)["claims"]
    assert yields(go_on(first, held, LONG))
    held = begin(second)["claims"]
    begin(first)
    assert not yields(go_on(second, held, LONG)), "both have one"


def test_a_batch_from_the_queue_steps_back_once_while_nobody_makes_progress(fresh_api: Any) -> None:
    """A message that was lost must not make the others go round for ever."""
    large = fresh_api.run().ready(20, batch_count=4)
    for owner in ("one", "two", "three"):
        begin(large, owner)
    small = fresh_api.other().run().ready(1)
    answer = begin(large, "four")
    assert yields(answer) and "claims" not in answer and "context" not in answer
    later = answer["slot"]["now"] + 2 * MESSAGE_SECONDS
    small.age(5.0)
    assert begin(large, "four", yielded_at=later)["claims"]
    small.api.write("UPDATE executions SET progress_at = progress_at + 100 WHERE id = :e", e=small.id)
    assert yields(begin(large, "five", yielded_at=later)), "it has progressed since"
    assert begin(small, "six")["claims"]
    assert begin(large, "five")["claims"], "nobody waits"


def test_the_first_claim_is_small_while_others_wait(fresh_api: Any) -> None:
    large = fresh_api.run().ready(100)
    fresh_api.other().run().ready(1)
    assert len(begin(large)["claims"]) == 8


def test_calls_of_an_api_go_before_runs(fresh_api: Any) -> None:
    run = fresh_api.run().ready(20, batch_count=2)
    held = begin(run)["claims"]
    api = fresh_api.other()
    call = api.publish().call(("a.txt", b"1"), ("b.txt", b"2"))
    call.ready(list(next(sent[1][3] for sent in api.recorder.sent if sent[1][2] == call.id).values()))
    assert not yields(go_on(run, held, LONG | {"takes_api": False})), "its slot is not for calls"
    held = begin(run, takes_api=False)["claims"]
    assert yields(begin(run, "next"))
    assert yields(go_on(run, held, LONG))
    held = begin(call)["claims"]
    answer = go_on(call, held, LONG)
    assert not yields(answer) and not answer["slot"].get("others_wait", False), "a call does not yield to a run"


def test_use_while_others_wait_counts_by_weight(fresh_api: Any) -> None:
    """Both have used the same; whose weight is greater goes first."""
    heavy, light = fresh_api.other(), fresh_api.other()
    heavy.put(f"/api/v1/organizations/{heavy.organization}/settings", {"settings": {"FAIR_SHARE_WEIGHT": 3}})
    runs = [api.run().ready(20, batch_count=2) for api in (heavy, light)]
    for run in runs:
        held = begin(run)["claims"]
        run.report(held[:1], release=[lease(claim) for claim in held[1:]], slot=SHORT | {"contended_seconds": 6.0})
    used = dict(map(tuple, rows(fresh_api, "SELECT organization_id, used FROM slot_shares")))
    assert used[heavy.organization] == used[light.organization] == 6.0
    held = runs[1].claim()["claims"]
    assert yields(go_on(runs[1], held, LONG))
    held = runs[0].claim()["claims"]
    assert not yields(go_on(runs[0], held, LONG))
