"""Who can write to the broker can send anything: it is refused, and the worker lives."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis

from docfleet.core.names import QueueName, TaskName, WorkerType
from tests.security.worker import KEY, Worker
from tests.task_messages import EMBED, envelope
from tests.waiting import until

Start = Callable[[WorkerType], Worker]
QUEUE = QueueName.FILE_PROCESSING_CALLBACK
TASK = TaskName.PROCESS_BATCH_CALLBACK


def _works(worker: Worker) -> None:
    """An ordinary task gets through."""
    execution = str(uuid.uuid4())
    worker.task(TASK, QUEUE, [], execution_id=execution, organization_id="org-a")
    came = lambda: any(execution in path for _, path, _ in worker.backend.calls)  # noqa: E731
    until(lambda: came() or not worker.process.runs, what="the worker does not work")
    assert worker.process.runs and worker.process.pid == worker.pid, worker.log[-3000:]


@pytest.mark.parametrize("place", ["argument", "keyword", "embed"])
def test_a_message_that_is_nested_too_deeply_is_refused(start_worker: Start, place: str) -> None:
    worker = start_worker(WorkerType.CALLBACK)
    known = len(worker.log)
    for levels in (150, 900, 2000, 100_000):
        deep = "[" * levels + "]" * levels
        more = f', "x": {deep}' if place == "keyword" else ""
        argument = deep if place == "argument" else "[]"
        embed = json.dumps(EMBED)[:-1] + (f', "x": {deep}}}' if place == "embed" else "}")
        worker.task(
            TASK, QUEUE, text=f'[[{argument}], {{"execution_id": "e", "organization_id": "org-a"{more}}}, {embed}]'
        )
    _works(worker)
    said = worker.log[known:]
    assert said.count('"event": "message.refused"') == 4 and "[[[[[[" not in said
    assert worker.waiting(QUEUE) == 0


_GOOD = json.dumps([[[]], {"execution_id": "e", "organization_id": "org-a"}, EMBED])
_DEEP = json.loads("[" * 400 + "]" * 400)
_HEADERS: dict[str, dict[str, Any]] = {
    "no id": {"id": None},
    "a number as id": {"id": 7},
    "an object as id": {"id": {"a": 1}},
    "a list as root": {"root_id": [1]},
    "a word as retries": {"retries": "many"},
    "a number as time limit": {"timelimit": 5},
    "words as time limit": {"timelimit": ["a", "b"]},
    "one time limit": {"timelimit": [1]},
    "a list as eta": {"eta": [1]},
    "no date as eta": {"eta": "tomorrow"},
    "a number as expires": {"expires": 1},
    "an object as expires": {"expires": {}},
    "a list as shadow": {"shadow": [1]},
    "a list as group": {"group": [1]},
    "deep headers": {"x": _DEEP},
    "a number as representation": {"argsrepr": 5},
    "stamps that are none": {"stamps": 5, "stamped_headers": 7},
    "a replaced task that is none": {"replaced_task_nesting": "x"},
    "a list as language": {"lang": []},
    "another name of the task": {"task": "posix.system"},
    "a list as task": {"task": [1]},
    "a number as task": {"task": 1},
}
_BODIES: dict[str, str] = {
    "null": "null",
    "a number": "1",
    "a text": '"abc"',
    "an empty list": "[]",
    "two parts": "[[], {}]",
    "four parts": "[[], {}, {}, {}]",
    "texts": '["a", "b", "c"]',
    "an object": '{"args": [], "kwargs": {}}',
    "objects changed round": "[{}, [], {}]",
    "a list embedded": "[[], {}, []]",
    "a huge number": "[[1" + "0" * 5000 + "], {}, {}]",
    "no number": "[[NaN, Infinity], {}, {}]",
    "no JSON": "{{{",
    "nothing": "",
    "half a surrogate": '[["\\ud800"], {}, {}]',
    "a callback that is none": json.dumps([[[]], {}, EMBED | {"callbacks": 5}]),
    "a chord that is none": json.dumps([[[]], {}, EMBED | {"chord": "x"}]),
    "a chain that is none": json.dumps([[[]], {}, EMBED | {"chain": {"a": 1}}]),
    "an errback that is none": json.dumps([[[]], {}, EMBED | {"errbacks": 1}]),
}


def test_headers_of_another_type_are_refused(start_worker: Start) -> None:
    worker = start_worker(WorkerType.CALLBACK)
    for headers in _HEADERS.values():
        worker.publish(QUEUE, _GOOD, **envelope(TASK.value, str(uuid.uuid4()), headers))
    _works(worker)


def test_bodies_of_another_form_are_refused(start_worker: Start) -> None:
    worker = start_worker(WorkerType.CALLBACK)
    for body in _BODIES.values():
        worker.task(TASK, QUEUE, text=body or " ")
    _works(worker)


def test_properties_of_another_type_are_refused(start_worker: Start) -> None:
    worker = start_worker(WorkerType.CALLBACK)
    if worker.url.startswith("amqp"):
        pytest.skip("AMQP has texts only there")
    for name in ("reply_to", "correlation_id"):
        worker.publish(QUEUE, _GOOD, **envelope(TASK.value, str(uuid.uuid4())) | {name: [1]})
    _works(worker)


@pytest.mark.parametrize("entry", ["garbage", "[" * 50_000 + "]" * 50_000], ids=["text", "depth"])
def test_what_is_no_message_at_all_ends_one_worker_at_most(start_worker: Start, entry: str) -> None:
    """Kombu takes such an entry off the list before it stumbles: whoever is started next does not meet it."""
    worker = start_worker(WorkerType.CALLBACK)
    if worker.url.startswith("amqp"):
        pytest.skip("RabbitMQ has envelopes of its own")
    with redis.Redis.from_url(worker.url) as client:
        client.lpush(QUEUE.value, entry)
        until(lambda: not client.exists(QUEUE.value), what="the entry is still there")
    until(lambda: not worker.process.runs, what="if this is no longer so, SECURITY.md may promise more")
    worker.start()
    _works(worker)


def test_nothing_of_one_organization_is_seen_by_the_next(start_worker: Start) -> None:
    """One child, tasks of many organizations in turn, some of which fail in between."""
    worker = start_worker(WorkerType.CALLBACK)
    expected = {}
    for number in range(24):
        execution = f"{uuid.uuid4()}"
        expected[execution] = f"org-{number % 3}"
        if number % 4 == 1:
            crash = {"execution_id": str(uuid.uuid4()), "organization_id": "org-of-a-crash", "nonsense": 1}
            worker.task(TASK, QUEUE, 5, **crash)
        worker.task(TASK, QUEUE, [], execution_id=execution, organization_id=expected[execution])
    _works(worker)
    seen = {path.split("/")[4]: organization for _, path, organization in worker.backend.calls}
    assert {execution: seen.get(execution) for execution in expected} == expected
    for line in worker.log.splitlines():
        if not line.startswith("{") or "execution_id" not in (said := json.loads(line)):
            continue
        if said["execution_id"] in expected and "organization_id" in said:
            assert said["organization_id"] == expected[said["execution_id"]], line


def test_ids_that_are_no_ids_reach_nobody(start_worker: Start) -> None:
    """They would become parts of the address of a call that carries our key."""
    worker = start_worker(WorkerType.CALLBACK)
    _works(worker)
    known = len(worker.backend.calls)
    good = str(uuid.uuid4())
    for execution in ("../../v1/sweep/?", "x/../../sweep", f"{good}\n", f"{good}/../{good}", good.upper(), "", "e"):
        worker.task(TASK, QUEUE, [], execution_id=execution, organization_id="org-a")
    for organization in ("../x", "org\r\nX-Other: 1", "", ".", "a" * 101, "orgé", 7, None, ["a"]):
        worker.task(TASK, QUEUE, [], execution_id=good, organization_id=organization)
    _works(worker)
    assert len(worker.backend.calls) == known + 1, worker.backend.calls[known:]


def test_the_health_port_reveals_no_secret_and_does_nothing(start_worker: Start) -> None:
    worker = start_worker(WorkerType.CALLBACK)
    seen = ""
    for method in ("GET", "POST", "DELETE"):
        for path in (
            "/health",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/",
            "/../../etc/passwd",
            "/%2e%2e/environ",
        ):
            connection = http.client.HTTPConnection("127.0.0.1", worker.health_port, timeout=5)
            connection.request(method, path, body=b"x" * 1000 if method == "POST" else None)
            answer = connection.getresponse()
            seen += f"{answer.getheaders()} {answer.read().decode()}"
            assert method == "GET" or answer.status >= 400, (method, path, answer.status)
            connection.close()
    assert "docfleet_worker_ready" in seen
    for secret in (KEY, KEY[::-1], worker.url, "redis://", "amqp://", str(worker.folder), "root:"):
        assert secret not in seen, secret
    _works(worker)
