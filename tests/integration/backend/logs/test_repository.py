"""Lines of executions' logs: each is written once, in the order of commits."""

from __future__ import annotations

import json
import threading
from typing import Any

from docfleet.backend.logs import repository
from docfleet.core.log_events import LogEvent
from tests.integration.backend.logs.lines import event, headers, send, texts


def test_a_line_is_written_once_however_often_it_comes(api: Any) -> None:
    run = api.run()
    lines = [event(api, run, str(number)) for number in range(5)]
    assert send(api, *lines[:3]) == {"written": 3}
    assert send(api, *lines, lines[4]) == {"written": 2, "repeated": 4}
    assert texts(api, run) == ["0", "1", "2", "3", "4"]
    found = api.get(f"/api/v1/executions/{run.id}/logs")["logs"]
    numbers = [line["sequence"] for line in found]
    assert numbers == sorted(set(numbers)) and found[0]["event_id"] == lines[0]["event_id"]


def test_lines_of_nobody_and_of_others_are_dropped_and_counted(api: Any) -> None:
    run, other = api.run(), api.other()
    strange = event(api, run) | {"execution_id": "11111111-1111-1111-1111-111111111111"}
    broken = event(api, run) | {"execution_id": "../x"}
    assert send(api, strange, broken, event(api, run)) == {"written": 1, "dropped": 2}
    # In the name of another organization, in the body or in the header.
    assert send(other, event(api, run)) == {"dropped": 1}
    assert send(api, event(other, run)) == {"dropped": 1}
    assert len(texts(api, run)) == 1
    other.get(f"/api/v1/executions/{run.id}/logs", status=404)
    other.get(f"/api/v1/executions/{run.id}/logs/export", status=404)
    send(api, *[event(api, run)] * 1001, status=400)


def test_what_a_database_refuses_is_mended(api: Any) -> None:
    run = api.run()
    nasty = event(
        api, run, "a\0b\ud800c" * 10, stage="S" * 500, message="\0", component="\0", file_execution_id="f" * 99
    )
    body = json.dumps({"events": [nasty]}).replace("\\ud800", "")
    answer = api.client.post("/internal/v1/logs/", content=body, headers=headers(api))
    assert answer.json() == {"written": 1}
    assert texts(api, run)[0].startswith("a\ufffdb")


def test_an_execution_ends_with_its_last_line(api: Any) -> None:
    run = api.run().ready(3)
    claims = run.take()
    run.report(claims[:2])
    run.report(claims[2:], "ERROR")
    assert texts(api, run) == ["Execution ended COMPLETED: 2 of 3 files succeeded, 1 failed"]
    run.finalize()
    assert len(texts(api, run)) == 1


def test_two_writers_number_in_the_order_of_commits(api: Any) -> None:
    """A reader that has seen number N never finds a smaller one later: the second writer waits for the first."""
    run = api.run()
    begun, seen = threading.Event(), threading.Event()

    def second() -> None:
        begun.wait(10)
        send(api, event(api, run, "second"))
        seen.set()

    thread = threading.Thread(target=second)
    thread.start()
    with api.database.writing() as connection:
        given = LogEvent(**event(api, run, "first"))
        assert repository.append(connection, run.id, [given]) == (1, 0)
        begun.set()
        assert not seen.wait(0.3), "the second writer did not wait: its number is visible before the first one's"
    thread.join(10)
    assert texts(api, run) == ["first", "second"]
