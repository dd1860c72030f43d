"""Logs of executions in the backend: each line once, in the order of commits, read again wherever it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.exceptions import WebSocketDisconnect
from sqlalchemy import func, select

from docfleet.backend.http.management import live_logs
from docfleet.backend.logs import archive, repository
from docfleet.backend.logs.history import LARGEST_LOOK, History
from docfleet.backend.tables.logs import execution_logs, log_channels
from docfleet.core.log_events import LogEvent, new_event_id

KEY = "test-key-of-forty-characters-0123456789ab"


def event(api: Any, run: Any, text: str = "a line", **more: Any) -> dict[str, Any]:
    return {
        "event_id": new_event_id(),
        "timestamp": time.time(),
        "execution_id": run.id,
        "organization_id": api.organization,
        "log": text,
        **more,
    }


def send(api: Any, *events: dict[str, Any], **more: Any) -> Any:
    return api.post("/internal/v1/logs/", {"events": list(events)}, **more)


def texts(api: Any, run: Any, query: str = "") -> list[str]:
    return [line["log"] for line in api.get(f"/api/v1/executions/{run.id}/logs?limit=1000{query}")["logs"]]


def headers(api: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "X-Organization-ID": api.organization}


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


def test_pages_and_filters(api: Any) -> None:
    run = api.run().ready(2)
    one, two = (file["file_execution_id"] for file in run.files())
    for number in range(10):
        level = ("INFO", "WARN", "ERROR")[number % 3]
        send(api, event(api, run, str(number), level=level, file_execution_id=one if number < 5 else two))
    send(api, event(api, run, "", type="UPDATE", component="SOURCE", state="RUNNING", message="m"))
    seen, after = [], 0
    while after is not None:
        page = api.get(f"/api/v1/executions/{run.id}/logs?limit=4&after={after}")
        seen += [line["log"] for line in page["logs"]]
        after = page["next"]
    assert seen == [*map(str, range(10)), ""]
    assert texts(api, run, "&level=ERROR") == ["2", "5", "8"]
    assert texts(api, run, "&level=WARN") == ["1", "2", "4", "5", "7", "8"]
    assert texts(api, run, f"&file={two}") == ["5", "6", "7", "8", "9"]
    update = api.get(f"/api/v1/executions/{run.id}/logs?type=UPDATE")["logs"]
    assert [(line["component"], line["state"], line["message"]) for line in update] == [("SOURCE", "RUNNING", "m")]
    api.get(f"/api/v1/executions/{run.id}/logs?level=LOUD", status=400)


def test_exports(api: Any) -> None:
    run = api.run()
    send(api, event(api, run, '=HYPERLINK("x")', level="WARN"), event(api, run, 'a "b", c\nd', step=1))
    path = f"/api/v1/executions/{run.id}/logs/export"
    lines = [json.loads(line) for line in api.client.get(path, headers=headers(api)).text.splitlines()]
    assert [line["log"] for line in lines] == ['=HYPERLINK("x")', 'a "b", c\nd']
    answer = api.client.get(f"{path}?format=csv", headers=headers(api))
    assert answer.headers["content-type"].startswith("text/csv") and run.id in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["log"] for row in rows] == ['\'=HYPERLINK("x")', 'a "b", c\nd']
    odd = ["\n=1+1", "\uff1d1+1", "\uff201"]
    send(api, *(event(api, run, text) for text in odd))
    answer = api.client.get(f"{path}?format=csv", headers=headers(api))
    found = [row["log"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))]
    assert found[2:] == [f"'{text}" for text in odd]
    assert rows[1]["step"] == "1" and rows[0]["time"].startswith("20") and rows[0]["level"] == "WARN"


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


def storage(api: Any) -> Path:
    return Path(api.folder, "storage")


def age(api: Any, run: Any, seconds: float) -> None:
    api.write("UPDATE executions SET finished_at = finished_at - :s WHERE id = :e", s=seconds, e=run.id)


def rows(api: Any, run: Any) -> int:
    with api.database.reading() as connection:
        return int(
            connection.scalar(
                select(func.count()).select_from(execution_logs).where(execution_logs.c.execution_id == run.id)
            )
            or 0
        )


def ended(api: Any, lines: int) -> Any:
    run = api.run().ready(1)
    send(api, *(event(api, run, str(number), level="ERROR" if number % 10 == 3 else "INFO") for number in range(lines)))
    run.report(run.take())
    assert run.status == "COMPLETED"
    return run


def test_an_archived_log_is_read_as_before(api: Any, tmp_path: Any) -> None:
    run = ended(api, 25)
    history = lambda query="": api.get(f"/api/v1/executions/{run.id}/logs{query}")  # noqa: E731
    root = str(storage(api))
    before = [history(), history("?level=ERROR"), history("?after=7&limit=5")]
    assert archive.archive(api.database, root, 3600) == 0
    age(api, run, 4000)
    assert archive.archive(api.database, root, 3600) == 1
    assert rows(api, run) == 0 and archive.archive(api.database, root, 3600) == 0
    assert [history(), history("?level=ERROR"), history("?after=7&limit=5")] == before
    exported = api.client.get(f"/api/v1/executions/{run.id}/logs/export", headers=headers(api)).text
    assert len(exported.splitlines()) == 26
    # What comes late is dropped: the file is closed.
    assert send(api, event(api, run)) == {"dropped": 1}
    (path,) = (storage(api) / ".logs").rglob(f"{run.id}.jsonl.gz")
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 26
    assert archive.forget(root, 3600) == 0 and archive.forget(root, 0) == 0
    assert archive.forget(root, -1) == 0 and path.exists()
    time.sleep(0.02)
    assert archive.forget(root, 0.01) >= 1 and history() == {"logs": [], "next": None}


def test_a_line_that_comes_while_a_log_is_archived_is_not_lost(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended(api, 3)
    age(api, run, 4000)

    def late(name: str, subject: str = "") -> None:
        if name == "archive.written":
            send(api, event(api, run, "late"))

    monkeypatch.setattr(archive, "point", late)
    assert archive.archive(api.database, str(storage(api)), 3600) == 0
    assert rows(api, run) == 5 and "late" in texts(api, run)
    monkeypatch.undo()
    assert archive.archive(api.database, str(storage(api)), 3600) == 1
    assert "late" in texts(api, run)


def test_a_deleted_execution_takes_its_log_along(api: Any) -> None:
    run = ended(api, 3)
    api.write("DELETE FROM executions WHERE id = :e", e=run.id)
    assert rows(api, run) == 0
    with api.database.reading() as connection:
        assert connection.execute(select(log_channels).where(log_channels.c.execution_id == run.id)).all() == []


# Live


def frames(socket: Any) -> list[Any]:
    found = []
    while True:
        frame = socket.receive_json(timeout=20)
        found.append(frame)
        if frame.get("end"):
            return found


def lines_of(found: list[Any]) -> list[str]:
    return [line["log"] for frame in found for line in frame.get("events", [])]


def test_live_is_history_first_then_what_comes_then_the_end(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_logs, "LOOK_SECONDS", 60.0)  # who is not woken comes too late
    run = api.run().ready(1)
    send(api, event(api, run, "before"))
    with api.client.websocket_connect(f"/api/v1/executions/{run.id}/events", headers=headers(api)) as socket:
        first = socket.receive_json(timeout=20)
        assert lines_of([first]) == ["before"]
        send(api, event(api, run, "live"))
        assert lines_of([socket.receive_json(timeout=20)]) == ["live"]
        run.report(run.take())
        rest = frames(socket)
        assert lines_of(rest)[0].startswith("Execution ended COMPLETED")
        assert rest[-1]["status"] == "COMPLETED"
    # Again, from where it was.
    path = f"/api/v1/executions/{run.id}/events"
    with api.client.websocket_connect(f"{path}?after={first['last_event_id']}", headers=headers(api)) as socket:
        assert [text[:9] for text in lines_of(frames(socket))] == ["live", "Execution"]
    again = headers(api) | {"Last-Event-ID": str(rest[-1]["last_event_id"])}
    with api.client.websocket_connect(path, headers=again) as socket:
        assert lines_of(frames(socket)) == []


def test_live_by_level_passes_over_the_rest(api: Any) -> None:
    run = ended(api, 900)
    path = f"/api/v1/executions/{run.id}/events?level=ERROR"
    with api.client.websocket_connect(path, headers=headers(api)) as socket:
        assert lines_of(frames(socket)) == [str(number) for number in range(900) if number % 10 == 3]


def test_live_sends_long_lines_in_frames_of_some_size(api: Any) -> None:
    """A frame waits in memory for its reader: hundreds of slow readers of long lines must not fill it."""
    run = api.run()
    for start in range(0, 100, 50):
        send(api, *(event(api, run, f"{start + number} " + "\1" * 3990) for number in range(50)))
    history = History(api.database, None, api.organization, run.id)
    after, found = 0, []
    while lines := (look := history.look(after, 500)).lines:
        assert sum(len(msgspec.json.encode(line)) for line in lines) <= 1.1 * LARGEST_LOOK
        found += [line.log.split()[0] for line in lines]
        assert look.more == (len(found) < 100)
        after = look.position
    assert found == [str(number) for number in range(100)]


def test_live_of_an_archived_log(api: Any) -> None:
    run = ended(api, 30)
    age(api, run, 4000)
    assert archive.archive(api.database, str(storage(api)), 3600) == 1
    with api.client.websocket_connect(f"/api/v1/executions/{run.id}/events", headers=headers(api)) as socket:
        assert len(lines_of(frames(socket))) == 31


def test_live_is_closed_to_everybody_else(api: Any) -> None:
    run, other = api.run(), api.other()
    path = f"/api/v1/executions/{run.id}/events"
    refused = (
        {},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "Bearer wrong", "X-Organization-ID": api.organization},
        headers(other),
        headers(api) | {"X-Organization-ID": "nobody"},
    )
    for given in refused:
        with pytest.raises(WebSocketDisconnect), api.client.websocket_connect(path, headers=given) as socket:
            socket.receive_json(timeout=5)
    for query in ("after=x", "after=-1", "after=1e3", "level=LOUD"):
        with (
            pytest.raises(WebSocketDisconnect),
            api.client.websocket_connect(f"{path}?{query}", headers=headers(api)) as socket,
        ):
            socket.receive_json(timeout=5)


def test_a_browser_says_who_it_is_in_subprotocols(api: Any) -> None:
    run = api.run()
    send(api, event(api, run))
    path = f"/api/v1/executions/{run.id}/events"
    offered = ["docfleet", f"key.{KEY}", f"organization.{api.organization}"]
    with api.client.websocket_connect(path, subprotocols=offered) as socket:
        assert socket.receive_json(timeout=20)["events"] and socket.accepted_subprotocol == "docfleet"
    for wrong in (offered[1:], [*offered[:1], "key.wrong", offered[2]], offered[:2]):
        with pytest.raises(WebSocketDisconnect), api.client.websocket_connect(path, subprotocols=wrong) as socket:
            socket.receive_json(timeout=5)
    # Not for ordinary calls.
    answer = api.client.get(f"/api/v1/executions/{run.id}", headers={"Sec-WebSocket-Protocol": ", ".join(offered)})
    assert answer.status_code == 401


def test_the_metrics_count_lines(api: Any) -> None:
    run = api.run()
    send(api, event(api, run))
    text = ""
    deadline = time.monotonic() + 10
    # Those whose connection has just ended leave at once, but not before this looks.
    while "docfleet_log_readers 0" not in text and time.monotonic() < deadline:
        text = api.client.get("/metrics", headers=headers(api)).text
    assert 'docfleet_log_lines_total{result="written"} ' in text
    assert "docfleet_log_readers 0" in text, [line for line in text.splitlines() if "readers" in line]
