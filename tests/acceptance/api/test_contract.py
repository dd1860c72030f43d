"""Bodies and codes of the public API, on running processes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.management.keys import Scope
from tests.acceptance.fleet import Fleet, Stage
from tests.acceptance.published import BETTER, NO_OP, Published, request
from tests.waiting import until


@pytest.fixture
def api(fleet: Fleet) -> Published:
    return Published.publish(fleet)


def final(api: Published, execution_id: str) -> None:
    until(lambda: api.client.execution(execution_id).execution.status.is_final)


def test_the_answer_of_a_call_and_of_a_poll_while_it_runs_and_after(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool)
    begun = api.post(("a.txt", "wait"))
    assert begun.status == 200
    message = begun.body["message"]
    execution_id = message["execution_id"]
    path = f"/deployment/api/default/{api.name}/"
    assert begun.body == {
        "message": {
            "execution_id": str(uuid.UUID(execution_id)),
            "execution_status": "PENDING",
            "status_api": f"{path}?execution_id={execution_id}",
            "error": None,
            "result": None,
        }
    }
    stage.await_starts(1)
    assert (api.poll(execution_id).status, api.poll(execution_id).body) == (
        422,
        {"status": "EXECUTING", "message": None},
    )
    better = api.poll(execution_id, BETTER)
    assert (better.status, better.body) == (202, {"status": "EXECUTING", "message": None})
    stage.open()
    final(api, execution_id)
    first, again = (api.poll(execution_id, BETTER) for _ in range(2))
    assert first.status == again.status == 200, "asked for better, results may be read again"
    assert first.body == again.body
    assert "extracted_text" in api.poll(execution_id, BETTER, include_extracted_text="true").body["message"][0]
    done = api.poll(execution_id)
    assert (done.status, done.body["status"]) == (200, "COMPLETED")
    (item,) = done.body["message"]
    assert set(item) == {"file", "file_execution_id", "status", "result", "error", "metadata"}
    assert item["metadata"]["source_name"] == "a.txt"
    assert item["metadata"]["execution_id"] == execution_id
    last = api.poll(execution_id)
    assert (last.status, last.body) == (406, {"status": "COMPLETED", "message": "Result already acknowledged"})


def test_a_synchronous_answer_is_the_first_read(api: Published) -> None:
    answer = api.post(("a.txt", "a"), timeout="60")
    assert (answer.status, answer.body["message"]["execution_status"]) == (200, "COMPLETED")
    assert api.poll(answer.body["message"]["execution_id"]).status == 406


def test_what_is_included_is_what_was_requested(fleet: Fleet) -> None:
    api = Published.publish(fleet, {"tool": "text_extractor", "settings": {}})
    (plain,) = api.post(("a.txt", "some words"), timeout="60").body["message"]["result"]
    assert set(plain["result"]) == {"output"} and "extracted_text" not in plain
    flags = {f"include_{name}": "true" for name in ("metadata", "metrics", "extracted_text")}
    answer = api.post(("a.txt", "some words"), timeout="60", tags="case-7", **flags)
    (item,) = answer.body["message"]["result"]
    assert set(item["result"]) == {"output", "metadata", "metrics"}
    assert item["extracted_text"].strip() == "some words"
    assert item["metadata"]["tags"] == ["case-7"]


def test_items_come_in_the_order_of_the_request_also_for_one_name_or_content_twice(fleet: Fleet) -> None:
    api = Published.publish(fleet, {"tool": "actor"})
    sent = [("z.txt", "same"), ("a.txt", "first"), ("a.txt", "second"), ("m.txt", "same")]
    items = api.post(*sent, timeout="60").body["message"]["result"]
    assert [item["file"] for item in items] == ["z.txt", "a.txt", "a (2).txt", "m.txt"]
    assert [item["result"]["output"]["text"] for item in items] == [text for _, text in sent]


def test_known_content_is_answered_without_running_a_tool(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    stage.open()
    api = Published.publish(fleet, stage.tool)
    first, again = (api.post(("a.txt", "wait"), timeout="60", use_file_history="true") for _ in range(2))
    (before,), (after,) = (answer.body["message"]["result"] for answer in (first, again))
    assert after["result"] == before["result"]
    assert "from_file_history" not in before["metadata"]
    assert after["metadata"]["from_file_history"] is True
    assert len(stage.started()) == 1


def test_a_call_none_of_whose_files_succeeds_is_422_with_its_items(fleet: Fleet) -> None:
    api = Published.publish(fleet, {"tool": "text_extractor", "settings": {}})
    answer = api.post(("bad.pdf", b"%PDF-1.7\nnothing"), timeout="60")
    message = answer.body["message"]
    assert (answer.status, message["execution_status"], message["error"]) == (422, "ERROR", None)
    assert [item["status"] for item in message["result"]] == ["Failed"]


def test_a_stopped_execution_has_an_item_for_each_file(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool)
    execution_id = api.post(*((f"{number}.txt", f"wait {number}") for number in range(3))).body["message"][
        "execution_id"
    ]
    stage.await_starts(1)
    api.client.stop_execution(execution_id)
    final(api, execution_id)
    answer = api.poll(execution_id)
    assert (answer.status, answer.body["status"]) == (422, "STOPPED")
    assert [item["file"] for item in answer.body["message"]] == ["0.txt", "1.txt", "2.txt"]
    assert {item["error"] for item in answer.body["message"]} == {"stopped on request"}


def refusal(answer: Any) -> tuple[int, str, str | None]:
    (error,) = answer.body["errors"]
    assert set(error) == {"code", "detail", "attr"} and error["detail"]
    return answer.status, answer.body["type"], error["attr"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", "301"),
        ("timeout", "-2"),
        ("timeout", "soon"),
        ("include_metadata", "perhaps"),
        ("use_file_history", "7"),
        ("tags", "one,two"),
        ("tags", "7up"),
        ("custom_data", "[1]"),
        ("custom_data", "{"),
        ("hitl_queue_name", ""),
        ("presigned_urls", "http://bucket.s3.amazonaws.com/a.pdf"),
        ("presigned_urls", "https://127.0.0.1/a.pdf"),
        ("presigned_urls", "https://example.org/a.pdf"),
    ],
)
def test_a_field_of_a_wrong_value_is_named(api: Published, field: str, value: str) -> None:
    answer = api.post(("a.txt", "a"), **{field: value})
    assert refusal(answer) == (400, "validation_error", field)


def test_a_call_without_files_and_one_with_too_many(api: Published) -> None:
    assert refusal(api.post())[0] == 400
    assert refusal(api.post(*((f"{number}.txt", str(number)) for number in range(33))))[0] == 400


def test_a_key_opens_what_it_is_for(fleet: Fleet, api: Published) -> None:
    other = Published.publish(fleet)
    begun = api.post(("a.txt", "a"), timeout="60", headers=BETTER).body["message"]["execution_id"]
    nothing = request(api.url, "GET", None, {}, execution_id=begun)
    assert refusal(nothing)[:2] == (403, "client_error")
    assert refusal(request(api.url, "GET", None, other.authorized, execution_id=begun))[0] == 401
    assert refusal(other.poll(begun))[0] == 404, "another deployment's execution"
    assert refusal(api.poll(str(uuid.uuid4())))[0] == 404
    assert refusal(api.poll("no-uuid")) == (400, "validation_error", "execution_id")
    assert refusal(request(api.url[:-1] + "x/", "GET", None, api.authorized, execution_id=begun))[0] == 404
    assert api.poll(begun).status == 200
    api.client.put_deployment({"api_name": api.name, "workflow": api.name, "is_active": False})
    assert refusal(api.post(("a.txt", "a")))[0] == 404


def test_a_pipeline_is_triggered_with_its_key_while_it_is_active(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    name = f"pipeline-{uuid.uuid4().hex[:8]}"
    fleet.client.put_workflow(
        {
            "name": name,
            "source": {"connector": "local", "settings": {"path": str(tmp_path / "in")}},
            "tools": [NO_OP],
            "destination": {
                "connector": "sqlite",
                "settings": {"path": str(tmp_path / "out.db")},
                "table": "results",
            },
        }
    )
    applied = fleet.client.put_pipeline({"name": name, "workflow": name})
    key = fleet.client.create_key(Scope.PIPELINE, name, "test").key
    url, authorized = fleet.client.absolute(applied.url), {"Authorization": f"Bearer {key}"}
    answer = request(url, "POST", b"", authorized)
    assert answer.status == 200
    assert answer.body["message"] == f"Triggered {name}"
    until(lambda: fleet.client.execution(answer.body["execution_id"]).execution.status.value == "COMPLETED")
    assert refusal(request(url, "POST", b"", {}))[0] == 403
    assert refusal(request(url, "POST", b"", Published.publish(fleet).authorized))[0] == 401
    fleet.client.put_pipeline({"name": name, "workflow": name, "active": False})
    assert refusal(request(url, "POST", b"", authorized))[0] == 422


def test_errors_are_problems_for_who_wants_the_native_format(api: Published) -> None:
    answer = api.post(("a.txt", "a"), headers=BETTER, timeout="soon")
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "timeout" in json.dumps(answer.body)
