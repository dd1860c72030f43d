"""Live logs: history first, then what comes, then the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from litestar.exceptions import WebSocketDisconnect

from docfleet.backend.http.management import live_logs
from docfleet.backend.logs import archive
from docfleet.backend.logs.history import MAX_CHUNK_BYTES, History
from tests.integration.backend.logs.lines import age, ended, event, headers, send, storage

KEY = "test-key-of-forty-characters-0123456789ab"


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
    monkeypatch.setattr(live_logs, "POLL_SECONDS", 60.0)  # who is not woken comes too late
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
    while lines := (chunk := history.read(after, 500)).lines:
        assert sum(len(msgspec.json.encode(line)) for line in lines) <= 1.1 * MAX_CHUNK_BYTES
        found += [line.log.split()[0] for line in lines]
        assert chunk.more == (len(found) < 100)
        after = chunk.position
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
