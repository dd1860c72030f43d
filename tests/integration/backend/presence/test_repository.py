"""Who lives: beats, ends and silence, and which types are missing."""

from __future__ import annotations

from typing import Any

from docfleet.backend.presence import repository as presence
from docfleet.core.names import QueueName, WorkerType
from tests.integration.backend.presence.announced import announce, end, fall_silent, silence_all
from tests.waiting import until

PLACE = "boot-1 pid:[1] time:[1]"
FILES, CALLS = QueueName.FILE_PROCESSING, QueueName.API_FILE_PROCESSING


def dead(api: Any) -> list[str]:
    with api.database.reading() as connection:
        return [row.node for row in presence.dead(connection)]


def missing(api: Any, *queues: QueueName) -> dict[WorkerType, float | None]:
    with api.database.reading() as connection:
        return presence.missing(connection, queues or (FILES,))


def test_neighbours_are_the_workers_of_one_place(fresh_api: Any) -> None:
    assert announce(fresh_api, "a@h", place=PLACE, pid=7, started=70) == []
    assert announce(fresh_api, "b@h", place="boot-2") == [], "another boot, or another container"
    assert announce(fresh_api, "c@h") == [] == announce(fresh_api, "d@h"), "workers that do not know their place"
    assert announce(fresh_api, "e@h", place=PLACE) == ["a@h"]
    end(fresh_api, "a@h")
    assert announce(fresh_api, "e@h", place=PLACE) == []


def test_a_beat_that_cannot_be_is_refused(fresh_api: Any) -> None:
    for wrong in ({"node": ""}, {"node": "x" * 301}, {"seconds": 0.0}, {"seconds": 1e9}, {"place": "p" * 201}):
        answer = fresh_api.post(
            "/internal/v1/workers/beat/",
            {"node": "n", "type": "general", "queues": [], "slots": 1, "state": "ready", "seconds": 5.0} | wrong,
            status=400,
        )
        assert next(iter(wrong)) in answer["detail"]


def test_only_silence_among_voices_is_death(fresh_api: Any) -> None:
    announce(fresh_api, "a@h")
    announce(fresh_api, "b@h")
    fall_silent(fresh_api, "a@h", 29.0)
    assert dead(fresh_api) == [], "five beats are not six"
    fall_silent(fresh_api, "a@h", 2.0)
    assert dead(fresh_api) == ["a@h"]
    fall_silent(fresh_api, "b@h", 11.0)
    assert dead(fresh_api) == [], "nobody is heard: it is the backend that was away"


def test_the_first_beat_after_a_gap_gives_everybody_time(fresh_api: Any) -> None:
    announce(fresh_api, "a@h")
    announce(fresh_api, "b@h")
    silence_all(fresh_api)
    announce(fresh_api, "b@h")
    assert dead(fresh_api) == []
    fall_silent(fresh_api, "a@h", 31.0)
    assert dead(fresh_api) == ["a@h"]


def test_who_was_taken_for_dead_and_beats_lives(fresh_api: Any) -> None:
    announce(fresh_api, "a@h")
    end(fresh_api, "a@h")
    announce(fresh_api, "a@h")
    assert dead(fresh_api) == [] and missing(fresh_api) == {}


def test_a_type_is_missing_from_the_end_of_its_last_worker(fresh_api: Any) -> None:
    assert missing(fresh_api) == {WorkerType.FILE_PROCESSING: None}
    announce(fresh_api, "a@h")
    announce(fresh_api, "b@h")
    announce(fresh_api, "g@h", "general")
    assert missing(fresh_api, FILES, CALLS, QueueName.GENERAL) == {}
    end(fresh_api, "a@h")
    assert missing(fresh_api) == {}
    announce(fresh_api, "b@h", state="ending")
    (seen,) = missing(fresh_api, FILES, CALLS, QueueName.GENERAL).values()
    assert seen is not None and abs(seen - _now(fresh_api)) < 60
    announce(fresh_api, "c@h", queues=["file_processing"])
    assert missing(fresh_api, FILES) == {}
    assert set(missing(fresh_api, CALLS)) == {WorkerType.FILE_PROCESSING}, "a worker that takes no calls"


def test_a_silent_type_is_missing_before_it_is_freed(fresh_api: Any) -> None:
    announce(fresh_api, "a@h")
    fall_silent(fresh_api, "a@h", 31.0)
    assert set(missing(fresh_api)) == {WorkerType.FILE_PROCESSING}


def test_of_the_dead_the_last_of_each_type_is_kept(fresh_api: Any) -> None:
    def nodes() -> list[str]:
        with fresh_api.database.reading() as connection:
            return list(connection.exec_driver_sql("SELECT node FROM workers ORDER BY node").scalars())

    for number in range(4):
        announce(fresh_api, f"w{number}@h")
        end(fresh_api, f"w{number}@h")
        until(lambda: dead(fresh_api) == [], 20)
        fresh_api.write("UPDATE workers SET freed_at = freed_at - 601 WHERE freed_at IS NOT NULL")
    announce(fresh_api, "g@h", "general")
    until(lambda: nodes() == ["g@h", "w3@h"], 20, what=f"{nodes()}")


def _now(api: Any) -> float:
    with api.database.reading() as connection:
        return float(connection.exec_driver_sql("SELECT max(seen_at) FROM workers").scalar_one())
