"""What a dead worker held is free at once, and nothing of a living one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from docfleet.backend.executions import lost_workers
from docfleet.backend.presence import repository as presence
from tests.integration.backend.executions.test_lost_processes import counted, named_again
from tests.integration.backend.presence.announced import announce, end, fall_silent, silence_all
from tests.integration.backend.presence.test_repository import dead
from tests.integration.backend.sweeps import sweep
from tests.waiting import until

DEAD, LIVING = "file_processing-1@host", "file_processing-2@host"
MINE = f"{DEAD}/17"


def held(api: Any, run: Any) -> set[str]:
    with api.database.reading() as connection:
        query = f"SELECT owner FROM file_executions WHERE execution_id = '{run.id}' AND owner IS NOT NULL"
        return set(connection.exec_driver_sql(query).scalars())


def sweeping(api: Any) -> bool:
    with api.database.reading() as connection:
        return bool(connection.exec_driver_sql("SELECT until FROM leases WHERE name = 'sweep'").scalar_one())


def ends(api: Any) -> None:
    end(api, DEAD)


def falls_silent(api: Any) -> None:
    announce(api, LIVING)
    fall_silent(api, DEAD)


@pytest.mark.parametrize("dies", [ends, falls_silent])
def test_what_a_dead_worker_held_is_sent_again_by_one_sweep(fresh_api: Any, dies: Callable[[Any], None]) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(4)
    mine = run.take(3, owner=MINE)
    other = run.take(1, owner=f"{LIVING}/17")
    stranger = fresh_api.other().run().ready(1)
    theirs = stranger.take(1, owner=f"{DEAD}/18")
    fresh_api.recorder.sent.clear()
    dies(fresh_api)
    fresh_api.post("/internal/v1/sweep/")
    freed = {item["file_execution_id"] for item in mine + theirs}
    until(lambda: named_again(fresh_api) == freed, 20, what="not sent again")
    assert held(fresh_api, run) == {f"{LIVING}/17"}
    assert run.report(other, owner=f"{LIVING}/17")["written"] == 1
    again = run.take(3, owner=f"{LIVING}/18")
    assert {item["attempt"] for item in again} == {2}
    assert counted(fresh_api, run) == {1: (0, 1), 2: (0, 1), 3: (0, 1), 4: (0, 0)}, "a loss for each, as by expiry"
    assert {item["reason"] for item in run.report(mine, owner=MINE)["refused"]} == {"fenced"}


def test_an_end_is_swept_at_once_without_the_scheduler(fresh_api: Any) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(2)
    run.take(2, owner=MINE)
    fresh_api.recorder.sent.clear()
    end(fresh_api, DEAD)
    until(lambda: len(named_again(fresh_api)) == 2, 20, what="nothing was sent")
    assert held(fresh_api, run) == set()


def test_the_beat_of_another_has_the_silent_swept_at_once(fresh_api: Any) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(1)
    run.take(1, owner=MINE)
    falls_silent(fresh_api)
    announce(fresh_api, LIVING)
    until(lambda: held(fresh_api, run) == set(), 20, what="nothing was freed")


def test_nothing_of_a_living_worker_is_freed(fresh_api: Any) -> None:
    """Nor of one that announces nothing: its leases decide, as before."""
    run = fresh_api.run().ready(3)
    announce(fresh_api, DEAD)
    announce(fresh_api, LIVING)
    for owner in (MINE, f"{LIVING}/17", "old@host/1"):
        run.take(1, owner=owner)
    fall_silent(fresh_api, DEAD, 25.0)
    sweep(fresh_api)
    assert held(fresh_api, run) == {MINE, f"{LIVING}/17", "old@host/1"}


def test_after_an_outage_of_the_backend_nobody_is_taken_for_dead(fresh_api: Any) -> None:
    """The scheduler's sweep comes before the first beat, and the first beat before the others."""
    run = fresh_api.run().ready(1)
    announce(fresh_api, DEAD)
    announce(fresh_api, LIVING)
    run.take(1, owner=MINE)
    silence_all(fresh_api)
    sweep(fresh_api)
    assert held(fresh_api, run) == {MINE}
    announce(fresh_api, LIVING)
    sweep(fresh_api)
    assert held(fresh_api, run) == {MINE}


def test_a_worker_whose_name_begins_alike_keeps_its_files(fresh_api: Any) -> None:
    announce(fresh_api, "w@host")
    run = fresh_api.run().ready(2)
    run.take(1, owner="w@host/1")
    run.take(1, owner="w@host2/1")
    end(fresh_api, "w@host")
    sweep(fresh_api)
    until(lambda: held(fresh_api, run) == {"w@host2/1"}, 20)


def test_a_beat_that_comes_while_the_sweep_is_at_it_saves_the_files(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(1)
    run.take(1, owner=MINE)
    falls_silent(fresh_api)
    with fresh_api.database.reading() as connection:
        silent = presence.dead(connection)
    assert [row.node for row in silent] == [DEAD]
    monkeypatch.setattr(presence, "dead", lambda _: silent)
    announce(fresh_api, DEAD)
    assert lost_workers.free(fresh_api.database) == []
    assert held(fresh_api, run) == {MINE}


def test_a_claim_that_was_on_its_way_when_its_worker_died_is_freed(fresh_api: Any) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(1)
    end(fresh_api, DEAD)
    until(lambda: dead(fresh_api) == [], 20)
    run.take(1, owner=MINE)
    # One that was woken before may still be at it, and then this one does nothing.
    until(lambda: (sweep(fresh_api), held(fresh_api, run))[1] == set(), 20)


def test_a_worker_that_was_taken_for_dead_keeps_what_it_claims_from_then_on(fresh_api: Any) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(1)
    end(fresh_api, DEAD)
    until(lambda: dead(fresh_api) == [], 20)
    announce(fresh_api, DEAD)
    run.take(1, owner=MINE)
    sweep(fresh_api)
    assert held(fresh_api, run) == {MINE}


def test_a_stop_ends_without_the_dead_worker(fresh_api: Any) -> None:
    announce(fresh_api, DEAD)
    run = fresh_api.run().ready(1)
    run.take(1, owner=MINE)
    fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    assert run.status != "STOPPED"
    end(fresh_api, DEAD)
    until(lambda: run.status == "STOPPED", 20)


def test_a_listing_that_lost_its_worker_is_begun_again_at_once(fresh_api: Any) -> None:
    announce(fresh_api, "general-1@host", "general")
    listing = fresh_api.run()
    listing.register(fresh_api.documents(2))
    sent = fresh_api.run(fresh_api.workflow(name="second")).ready(2)
    taken = fresh_api.run(fresh_api.workflow(name="third")).ready(2)
    taken.report(taken.take(1))
    fresh_api.write("UPDATE executions SET dispatched_at = dispatched_at - 5 WHERE id = :e", e=taken.id)
    fresh_api.recorder.sent.clear()
    end(fresh_api, "general-1@host")

    def again() -> set[tuple[str, str]]:
        return {
            (task, args[2] if task == "async_execute_bin" else args[0]["file_data"]["execution_id"])
            for task, args, *_ in fresh_api.recorder.sent
        }

    expected = {("async_execute_bin", listing.id), ("process_file_batch", sent.id)}
    until(lambda: again() == expected, 20, what=f"{again()} and not {expected}")
    fresh_api.recorder.sent.clear()
    announce(fresh_api, "general-2@host", "general")
    end(fresh_api, "general-2@host")
    until(lambda: dead(fresh_api) == [] and not sweeping(fresh_api), 20)
    assert again() == set(), "a listing that loses its worker again waits longer"


def test_what_lies_in_a_queue_is_not_copied_when_a_worker_dies(fresh_api: Any) -> None:
    announce(fresh_api, "general-1@host", "general")
    fresh_api.recorder.lying = {"celery": 3, "file_processing": 3}
    waiting = fresh_api.run()
    fresh_api.run(fresh_api.workflow(name="second")).ready(2)
    listing = fresh_api.run(fresh_api.workflow(name="third"))
    listing.register(fresh_api.documents(2))
    fresh_api.recorder.sent.clear()
    end(fresh_api, "general-1@host")
    until(lambda: fresh_api.recorder.sent, 20)
    assert [(task, args[2]) for task, args, *_ in fresh_api.recorder.sent] == [("async_execute_bin", listing.id)]
    assert waiting.status == "PENDING"


def test_an_open_execution_names_the_workers_it_waits_for(fresh_api: Any) -> None:
    run = fresh_api.run()
    assert run.state()["missing_workers"] == [
        {"type": "general", "last_seen": None},
        {"type": "file_processing", "last_seen": None},
    ]
    announce(fresh_api, "g@h", "general")
    announce(fresh_api, DEAD)
    assert run.state().get("missing_workers", []) == []
    end(fresh_api, DEAD)
    (lacking,) = run.ready(1).state()["missing_workers"]
    assert lacking["type"] == "file_processing" and lacking["last_seen"].startswith("20")
    run.report(run.take(1))
    assert run.status == "COMPLETED" and run.state().get("missing_workers", []) == []
