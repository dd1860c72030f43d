"""Bounded open batches: what is parked, what is sent when there is room again, and that nothing is forgotten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from docfleet.core.names import QueueName
from tests.integration.backend.server import Execution, documents

BOUND = 8
"""MAX_OPEN_BATCHES, where the slots of the fleet are not known."""


def ready(api: Any, name: str, files: int, batches: int) -> tuple[Execution, Any]:
    """An execution that is started, and the answer to its start."""
    run = api.run()
    run.register(documents(files, name))
    return run, run.start(batches)


def batches_of(api: Any, run: Execution) -> int:
    """How many of its batches the backend has sent."""
    sent = [args[0] for _, args, _, queue in api.recorder.sent if queue == QueueName.FILE_PROCESSING]
    return sum(batch["file_data"]["execution_id"] == run.id for batch in sent)


def parked(api: Any) -> set[str]:
    with api.database.reading() as connection:
        return set(connection.scalars(text("SELECT id FROM executions WHERE parked_at IS NOT NULL")))


def end(run: Execution) -> None:
    while claims := run.take():
        run.report(claims)
    assert run.status == "COMPLETED"


def test_many_workflows_of_one_organization_put_a_bounded_number_of_batches_into_the_queue(fresh_api: Any) -> None:
    started = [ready(fresh_api, f"w{n}", 4, 3) for n in range(10)]
    assert [answer["batches"] for _, answer in started] == [3, 3, 2] + 7 * [0]
    assert parked(fresh_api) == {run.id for run, _ in started[3:]}
    end(started[0][0])
    assert [batches_of(fresh_api, run) for run, _ in started] == [0, 0, 1, 2] + 6 * [0], "the oldest first"
    for run, _ in started[1:]:
        end(run)
    assert parked(fresh_api) == set()


def test_a_fleet_of_many_slots_gets_two_batches_for_each(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.register(documents(100))
    answer = fresh_api.post(f"{run.path}/start/", {"batch_count": 50, "slots": 30})
    assert answer["batches"] == 50
    run = fresh_api.run()
    run.register(documents(100, "other"))
    assert fresh_api.post(f"{run.path}/start/", {"batch_count": 50, "slots": 30})["batches"] == 10


def test_competing_organizations_share_the_queue_and_get_their_places_back(fresh_api: Any) -> None:
    large, answer = ready(fresh_api, "large", 100, BOUND)
    assert answer["batches"] == BOUND
    small, _ = ready(fresh_api.other(), "small", 1, 1)
    kept = 0
    for number in range(BOUND):
        slot = large.claim(owner=f"w{number}", limit=1, slot={"seconds": 0.0}).get("slot", {})
        kept += slot.get("send_again", True)
    assert kept == BOUND // 2, "the other half of the queue is for the other organization"
    before = batches_of(fresh_api, large)
    end(small)
    assert batches_of(fresh_api, large) == before + BOUND // 2


def test_weights_divide_the_queue(fresh_api: Any) -> None:
    heavy, light = fresh_api.other(), fresh_api.other()
    heavy.put(f"/api/v1/organizations/{heavy.organization}/settings", {"settings": {"FAIR_SHARE_WEIGHT": 3}})
    assert ready(light, "light", 1, 1)[1]["batches"] == 1
    assert ready(heavy, "heavy", 100, 50)[1]["batches"] == 6
    assert ready(light, "more", 100, 50)[1]["batches"] == 1


def test_the_sweep_sends_what_a_crash_kept_from_being_sent(fresh_api: Any) -> None:
    first, _ = ready(fresh_api, "first", 20, BOUND)
    second, _ = ready(fresh_api, "second", 4, 2)
    fresh_api.recorder.down = True
    end(first)
    fresh_api.recorder.down = False
    assert batches_of(fresh_api, second) == 0
    second.age(100.0)
    fresh_api.post("/internal/v1/sweep/", {})
    assert batches_of(fresh_api, second) == 1


def test_the_sweep_gives_room_that_nobody_gave(fresh_api: Any) -> None:
    first, _ = ready(fresh_api, "first", 20, BOUND)
    second, _ = ready(fresh_api, "second", 4, 2)
    fresh_api.write("UPDATE executions SET open_batches = 6 WHERE id = :e", e=first.id)
    fresh_api.post("/internal/v1/sweep/", {})
    assert batches_of(fresh_api, first) == 0 or batches_of(fresh_api, second) == 0
    assert batches_of(fresh_api, first) + batches_of(fresh_api, second) == 2


def test_the_sweep_does_not_send_batches_of_a_parked_execution(fresh_api: Any) -> None:
    ready(fresh_api, "first", 20, BOUND)
    second, _ = ready(fresh_api, "second", 4, 2)
    second.age(10_000.0)
    fresh_api.post("/internal/v1/sweep/", {})
    assert batches_of(fresh_api, second) == 0 and parked(fresh_api) == {second.id}


def test_a_parked_execution_can_be_stopped_and_deleted(fresh_api: Any) -> None:
    first, _ = ready(fresh_api, "first", 20, BOUND)
    second, _ = ready(fresh_api, "second", 4, 2)
    fresh_api.post(f"/api/v1/executions/{second.id}/stop", status=None)
    assert second.status == "STOPPED"
    end(first)
    assert batches_of(fresh_api, second) == 0
    third, _ = ready(fresh_api, "third", 4, 2)
    assert third.state()["execution"]["status"] == "EXECUTING"


def test_a_parked_execution_meets_its_deadline(fresh_api: Any) -> None:
    ready(fresh_api, "first", 20, BOUND)
    second, _ = ready(fresh_api, "second", 4, 2)
    second.age(200_000.0)
    fresh_api.post("/internal/v1/sweep/", {})
    assert second.state()["execution"]["status"] == "ERROR"


def test_calls_of_an_api_are_not_parked(fresh_api: Any) -> None:
    ready(fresh_api, "first", 20, BOUND)
    call = fresh_api.publish().call(("a.txt", b"1"), ("b.txt", b"2"))
    call.register(list(next(sent[1][3] for sent in fresh_api.recorder.sent if sent[1][2] == call.id).values()))
    assert call.start(2)["batches"] == 2


def test_a_start_beside_others_is_hinted_to_the_workers_and_alone_is_not(fresh_api: Any) -> None:
    first, _ = ready(fresh_api, "first", 20, 2)
    assert fresh_api.recorder.told == []
    first.claim()
    ready(fresh_api.other(), "second", 4, 2)
    assert fresh_api.recorder.told == [("slot_wanted", {"is_api": False})]
