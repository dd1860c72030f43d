"""Calls of an API against the backend, with a worker played by the test."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from docfleet.backend.platform.waiting import WaitingCallers


def _staged(api: Any) -> list[Path]:
    return [
        path
        for path in (api.folder / "storage" / api.organization).rglob("*")
        if path.is_file() and "uploads" in path.parts
    ]


def test_a_call_is_answered_with_one_item_for_each_file_in_its_order(api: Any) -> None:
    invoices = api.publish()
    files = [("b.txt", b"two"), ("a.txt", b"one"), ("copy.txt", b"two"), ("a.txt", b"three")]
    run = invoices.call(*files, include_metadata="true")
    task, args, kwargs, queue = api.recorder.sent[-1]
    assert (task, queue) == ("async_execute_bin", "celery_api_deployments")
    assert args[0] == api.organization and args[2] == run.id
    assert list(args[3]) == ["b.txt", "a.txt", "a (2).txt"]
    assert kwargs["use_file_history"] is False
    first = args[3]["b.txt"]
    assert first["source_connection_type"] == "API" and first["file_key"] == first["file_hash"]
    staged = api.folder / "storage" / first["file_path"]
    assert staged.read_bytes() == b"two" and staged.name == first["file_hash"]
    assert len(_staged(api)) == 3
    assert invoices.get(run, status=422) == {"status": "PENDING", "message": None}
    invoices.work(run, {"a.txt": "it did not work"})
    answer = invoices.get(run)
    assert answer["status"] == "COMPLETED"
    items = answer["message"]
    assert [item["file"] for item in items] == ["b.txt", "a.txt", "copy.txt", "a (2).txt"]
    assert [item["status"] for item in items] == ["Success", "Failed", "Success", "Success"]
    assert [item["error"] for item in items] == [None, "it did not work", None, None]
    assert items[2]["file_execution_id"] == items[0]["file_execution_id"]
    assert items[2]["metadata"]["source_name"] == "copy.txt" and items[0]["metadata"]["source_name"] == "b.txt"
    assert items[0]["result"] == {"output": {"text": "b.txt"}} and items[1]["result"] is None
    assert items[1]["metadata"]["error_occurred"] is True
    # What failed stays, for a retry.
    assert [path.name for path in _staged(api)] == [args[3]["a.txt"]["file_hash"]]


def _in_a_thread(api: Any, invoices: Any, finish: Any) -> threading.Thread:
    """Play the worker as soon as the message of a call is there."""

    def play() -> None:
        end = time.monotonic() + 10
        while not api.recorder.sent and time.monotonic() < end:
            time.sleep(0.005)
        finish(api.execution(api.recorder.sent[0][1][2]))

    thread = threading.Thread(target=play)
    thread.start()
    return thread


@pytest.mark.parametrize("better", [False, True])
def test_a_waiting_call_returns_when_the_execution_ends(
    api: Any, better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaitingCallers.until_final, "__defaults__", (60.0,))  # the look at the row comes too late
    invoices = api.publish()
    thread = _in_a_thread(api, invoices, invoices.work)
    began = time.monotonic()
    message = invoices.post(("a.txt", b"one"), timeout=60, query="?compat=false" if better else "")["message"]
    thread.join()
    assert time.monotonic() - began < 30
    assert message["execution_status"] == "COMPLETED" and message["result"][0]["status"] == "Success"
    assert message["error"] is None and message["status_api"].endswith(f"?execution_id={message['execution_id']}")
    invoices.get(message["execution_id"], status=200 if better else 406)


def test_a_waiting_call_whose_files_all_fail_is_422_with_their_items(api: Any) -> None:
    invoices = api.publish()
    thread = _in_a_thread(api, invoices, lambda run: invoices.work(run, {"a.txt": "broken"}))
    message = invoices.post(("a.txt", b"one"), timeout=60, status=422)["message"]
    thread.join()
    assert message["execution_status"] == "ERROR" and message["error"] is None
    assert message["result"][0]["error"] == "broken"


def test_a_stopped_call_has_an_item_for_each_file(api: Any) -> None:
    invoices = api.publish()
    thread = _in_a_thread(api, invoices, lambda run: api.post(f"/api/v1/executions/{run.id}/stop"))
    message = invoices.post(("a.txt", b"one"), ("b.txt", b"two"), timeout=60)["message"]
    thread.join()
    assert message["execution_status"] == "STOPPED"
    assert [item["error"] for item in message["result"]] == ["stopped on request"] * 2


def test_a_call_that_is_not_done_in_time_can_be_polled(api: Any) -> None:
    invoices = api.publish()
    message = invoices.post(("a.txt", b"one"), timeout=1)["message"]
    assert message["execution_status"] == "PENDING" and message["result"] is None
    invoices.work(api.execution(message["execution_id"]))
    assert invoices.get(message["execution_id"])["message"][0]["status"] == "Success"


def test_what_cannot_be_sent_is_422_and_leaves_no_files(api: Any) -> None:
    invoices = api.publish()
    api.recorder.down = True
    message = invoices.post(("a.txt", b"one"), status=422)["message"]
    assert message["execution_status"] == "ERROR" and "broker unavailable" in message["error"]
    assert message["result"] is None and _staged(api) == []
    assert invoices.get(message["execution_id"], status=422)["message"][0]["status"] == "Failed"


def test_the_sweep_sends_the_files_again(fresh_api: Any) -> None:
    invoices = fresh_api.publish()
    run = invoices.call(("a.txt", b"one"))
    first = fresh_api.recorder.sent.pop()
    run.age(300)
    fresh_api.post("/internal/v1/sweep/")
    assert fresh_api.recorder.sent == [first]
    run.age(100_001)
    fresh_api.post("/internal/v1/sweep/")
    assert invoices.get(run, status=422)["message"][0]["status"] == "Failed" and _staged(fresh_api) == []


def test_a_status_is_the_deployments_own(api: Any) -> None:
    invoices, letters = api.publish(), api.publish("letters")
    run = invoices.call(("a.txt", b"one"))
    letters.get(run, status=404)
    invoices.get(run, key=letters.key, status=401)
    stranger = api.other().publish()
    stranger.get(run, status=404)
    invoices.get(str(uuid.uuid4()), status=404)
    invoices.get("not-an-id", status=400)
    run_etl = api.run(api.workflow())
    invoices.get(run_etl, status=404)
    api.get(f"/api/v1/executions/{run_etl.id}/results", status=404)


def _repeat(invoices: Any, *files: tuple[str, bytes], key: str = "k1", status: int = 200, **fields: Any) -> Any:
    """A call with an idempotency key."""
    parts = [("files", (name, content)) for name, content in files]
    headers = {"Authorization": f"Bearer {invoices.key}", "Idempotency-Key": key}
    answer = invoices.api.client.post(invoices.path, files=parts, data=fields, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def _executions(api: Any) -> list[Any]:
    return list(api.get("/api/v1/executions")["executions"])


def test_a_repeated_upload_is_the_execution_of_the_first_one(api: Any) -> None:
    invoices, files = api.publish(), (("a.txt", b"one"), ("b.txt", b"two"))
    first = _repeat(invoices, *files)["message"]
    assert _repeat(invoices, *files)["message"] == first and len(_executions(api)) == 1
    assert len(api.recorder.sent) == 1 and len(_staged(api)) == 2
    for other in ((("a.txt", b"one"),), (("a.txt", b"one"), ("b.txt", b"TWO")), (("a.txt", b"one"), ("c.txt", b"two"))):
        refused = _repeat(invoices, *other, status=409)
        assert "Idempotency-Key was used for another" in str(refused)
    _repeat(invoices, *files, status=409, tags="monthly")
    assert len(_staged(api)) == 2, "the files of a refused call were left"
    run = api.execution(first["execution_id"])
    invoices.work(run)
    # A caller that lost the answer gets it as often as it asks.
    for _ in range(2):
        answer = _repeat(invoices, *files, timeout="60")["message"]
        assert answer["execution_id"] == run.id and [item["file"] for item in answer["result"]] == ["a.txt", "b.txt"]
    assert _repeat(invoices, *files)["message"]["execution_status"] == "COMPLETED"
    assert len(_executions(api)) == 1


def test_calls_with_one_key_at_the_same_time_are_one_execution(api: Any) -> None:
    invoices = api.publish()
    path = f"/api/v1/workflows/{api.workflow()}/executions"
    for name, call in (
        ("upload", lambda: _repeat(invoices, ("a.txt", b"one"))["message"]["execution_id"]),
        ("run", lambda: api.post(path, status=None, Idempotency_Key="k")["execution_id"]),
    ):
        before = len(_executions(api))
        with ThreadPoolExecutor(8) as pool:
            answers = [future.result() for future in [pool.submit(call) for _ in range(8)]]
        assert len(set(answers)) == 1 and len(_executions(api)) == before + 1, name
    assert len(_staged(api)) == 1


def test_a_key_of_one_caller_is_none_of_another(api: Any) -> None:
    invoices, letters = api.publish(), api.publish("letters")
    first = _repeat(invoices, ("a.txt", b"one"))["message"]["execution_id"]
    assert _repeat(letters, ("a.txt", b"one"))["message"]["execution_id"] != first
    path = f"/api/v1/workflows/{api.workflow()}/executions"
    assert api.post(path, {}, status=201, Idempotency_Key="k1")["execution_id"] != first
    for key in ("", "k" * 256):
        assert _repeat(invoices, ("a.txt", b"one"), key=key, status=400)


def test_a_repeated_upload_waits_for_the_broker_as_one_execution(fresh_api: Any) -> None:
    api = fresh_api
    invoices = api.publish()
    api.recorder.down = True
    answers = [_repeat(invoices, ("a.txt", b"one"))["message"] for _ in range(3)]
    assert [row["status"] for row in _executions(api)] == ["PENDING"]
    assert {(answer["execution_id"], answer["execution_status"]) for answer in answers} == {
        (answers[0]["execution_id"], "PENDING")
    }
    api.recorder.down = False
    assert api.post("/internal/v1/sweep/")["redispatched_executions"] == 1
    run = api.execution(answers[0]["execution_id"])
    invoices.work(run)
    assert _repeat(invoices, ("a.txt", b"one"), timeout="60")["message"]["result"][0]["status"] == "Success"
    assert len(_executions(api)) == 1 and len(api.recorder.sent) == 1


def test_without_a_key_a_call_that_cannot_be_sent_ends(api: Any) -> None:
    invoices = api.publish()
    api.recorder.down = True
    for number in (1, 2):
        message = invoices.post(("a.txt", b"one"), status=422)["message"]
        assert message["execution_status"] == "ERROR" and "broker" in message["error"]
        assert len(_executions(api)) == number


def test_a_repeat_needs_no_slot(limited_api: Any, redis_at_socket: str) -> None:
    api = limited_api(redis_url=redis_at_socket, api_concurrent_limit_org=1)
    invoices = api.publish()
    first = _repeat(invoices, ("a.txt", b"one"))["message"]
    _repeat(invoices, ("a.txt", b"one"), key="k2", status=429)
    assert _repeat(invoices, ("a.txt", b"one"))["message"] == first
    invoices.work(api.execution(first["execution_id"]))
    assert _repeat(invoices, ("a.txt", b"one"), key="k2")["message"]["execution_id"] != first["execution_id"]


def test_a_repeated_trigger_is_the_run_of_the_first_one(fresh_api: Any) -> None:
    api = fresh_api
    api.workflow()
    pipeline = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})["pipeline_id"]
    key = api.key("pipeline", "nightly")
    path = f"/deployment/pipeline/api/{api.organization}/{pipeline}/"

    def trigger(status: int) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k1"}
        answer = api.client.post(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()["execution_id"]

    api.recorder.down = True
    begun = {trigger(202) for _ in range(3)}
    api.recorder.down = False
    assert begun == {trigger(200)} == {trigger(200)}
    assert len(api.recorder.sent) == 1 and len(_executions(api)) == 1
