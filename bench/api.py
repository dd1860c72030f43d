"""Calls of a published API: latency beside a bare Celery chord, throughput under load, internal calls of one."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median, quantiles
from urllib.parse import urlsplit

from bench.bare_celery import BareWorker
from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet
from docfleet.cli.commands.run import RUN_WORKERS
from docfleet.core.management.keys import Scope
from docfleet.core.names import WorkerType

WORKERS = (*RUN_WORKERS, WorkerType.API_DEPLOYMENT)
NAME = "bench"
WAIT_SECONDS = 60
WARM_CALLS = 5
TURNS = 5
"""Rounds in which calls and chords alternate in the latency run, so that a busy machine slows both."""
CALLERS = (1, 10, 50)
LATE_SECONDS = 1.0
QUIET_SECONDS = 2.0
_OK, _THROTTLED = 200, 429


def measure(*, short: bool) -> Report:
    """First one caller, then many; last, in a fleet of its own, the internal calls are counted by a proxy."""
    calls, seconds = (40, 2.0) if short else (200, 30.0)
    with Fleet(workers=WORKERS) as fleet:
        api = publish(fleet)
        latencies, chords = _latencies(fleet, api, calls)
        after = _after_the_end(fleet, api, calls // 2)
        loads = {callers: load(api, callers, seconds) for callers in CALLERS}
    with Fleet(workers=WORKERS, counted=True) as fleet:
        counted = calls_of_one(fleet, publish(fleet))
    report = Report()
    p50, p95 = 1000 * median(latencies), _p95_ms(latencies)
    floor = 1000 * median(chords)
    report.details += [
        f"{len(latencies)} calls of 1 caller: p50 {p50:.0f}, p95 {p95:.0f}, fastest {1000 * min(latencies):.0f} ms; "
        f"bare chord of one task between them: p50 {floor:.0f} ms",
        f"{len(after)} answers after the end was written: p50 {1000 * median(after):.0f}, "
        f"p95 {_p95_ms(after):.0f}, slowest {1000 * max(after):.0f} ms",
        *(f"{callers:2} callers: {load}" for callers, load in loads.items()),
        *(f"{path}: {number}" for path, number in sorted(counted.items())),
    ]
    few, many = loads[10].per_second, loads[50].per_second
    beside = (
        f"{len(latencies)} calls of one 1 kB file; {p50 / floor:.1f} times a bare chord of one task ({floor:.0f} ms)"
    )
    report.figures = [
        Figure("api_p50_ms", p50, "ms", at_most=120, original="1400", note=beside),
        Figure("api_p95_ms", p95, "ms", at_most=250),
        Figure(
            "api_answer_after_end_p95_ms", _p95_ms(after), "ms", at_most=50, note="from the end's row to the answer"
        ),
        Figure("api_bare_chord_p50_ms", floor, "ms", note="the floor: the same broker, one task, one callback"),
        Figure(
            "api_throughput_50_vs_10",
            many / few,
            at_least=0.9,
            note=f"{many:.1f} against {few:.1f} calls/s, {seconds:g} s each",
        ),
        Figure("http_calls_1_file_api", sum(counted.values()), at_most=8, note="internal calls of one call"),
    ]
    return report


@dataclass(frozen=True)
class Api:
    """A published API that does nothing with a file."""

    host: str
    path: str
    key: str


def publish(fleet: Fleet) -> Api:
    """Publish the no-op workflow and call it once, so that everything is warm."""
    document = {"name": NAME, "source": {"connector": "api"}, "tools": NO_OP, "destination": {"connector": "api"}}
    fleet.client.put_workflow(document)
    applied = fleet.client.put_deployment({"api_name": NAME, "workflow": NAME})
    key = fleet.client.create_key(Scope.DEPLOYMENT, NAME, "bench").key
    where = urlsplit(fleet.client.absolute(applied.url))
    api = Api(where.netloc, where.path, key)
    with Caller(api) as caller:
        for _ in range(WARM_CALLS):
            caller.call()
    return api


class Throttled(Exception):
    """429; ``args[0]`` is how many seconds to wait."""


class Caller:
    """One client on one connection, each call with content of its own. A context manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.execution_id = ""
        self._connection = http.client.HTTPConnection(api.host, timeout=WAIT_SECONDS + 10)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self) -> float:
        """Seconds of one synchronous call. Raises ``Throttled``, ``RuntimeError`` for any other end."""
        boundary = uuid.uuid4().hex
        content = f"Document {boundary}\n" + "A line of text. " * 60
        parts = (f'name="timeout"\r\n\r\n{WAIT_SECONDS}', f'name="files"; filename="a.txt"\r\n\r\n{content}')
        body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
        headers = {
            "Authorization": f"Bearer {self._api.key}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        started = time.monotonic()
        self._connection.request("POST", self._api.path, f"{body}--{boundary}--\r\n".encode(), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took = time.monotonic() - started
        if answer.status == _THROTTLED:
            raise Throttled(float(answer.headers["Retry-After"]))
        message = json.loads(text).get("message") if answer.status == _OK else None
        if not message or message["execution_status"] != "COMPLETED" or message["result"][0]["status"] != "Success":
            raise RuntimeError(f"HTTP {answer.status}: {text[:300]!r}")
        self.execution_id = str(message["execution_id"])
        return took


@dataclass
class Load:
    """What callers measured in ``seconds``. ``throttled`` counts answers of 429, after which a caller waited."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    throttled: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Calls that succeeded."""
        return len(self.latencies) / self.seconds

    def __str__(self) -> str:
        p50 = 1000 * median(self.latencies)
        return f"{self.per_second:.1f} calls/s, p50 {p50:.0f} ms, {self.throttled} throttled (429), no other error"


def load(api: Api, callers: int, seconds: float) -> Load:
    """Run ``callers`` at once, each calling again as soon as it is answered. Raises ``RuntimeError`` on an error."""
    load = Load(seconds)
    started = time.monotonic()
    end = started + seconds
    threads = [threading.Thread(target=_calls, args=(api, load, end)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if load.errors:
        raise RuntimeError(f"{len(load.errors)} calls of {callers} callers failed, the first with {load.errors[0]}")
    # Answers that came after the end count, and so does the time they took.
    load.seconds = time.monotonic() - started
    return load


def _calls(api: Api, load: Load, end: float) -> None:
    with Caller(api) as caller:
        while (left := end - time.monotonic()) > 0:
            try:
                load.latencies.append(caller.call())
            except Throttled as wait:
                load.throttled += 1
                time.sleep(min(wait.args[0], left))
            except (RuntimeError, OSError, http.client.HTTPException) as error:
                load.errors.append(f"{type(error).__name__}: {error}")
                return


def _latencies(fleet: Fleet, api: Api, calls: int) -> tuple[list[float], list[float]]:
    """Seconds of each call, and of each bare chord of one task on the same broker."""
    latencies: list[float] = []
    chords: list[float] = []
    broker, results = fleet.shared["CELERY_BROKER_BASE_URL"], fleet.shared["CELERY_RESULT_BACKEND"]
    with BareWorker(broker, results, slots=1) as bare, Caller(api) as caller:
        bare.run(1)
        for _ in range(TURNS):
            latencies += [caller.call() for _ in range(calls // TURNS)]
            chords += [bare.run(1)[0] for _ in range(calls // TURNS // 2)]
    return latencies, chords


def _after_the_end(fleet: Fleet, api: Api, calls: int) -> list[float]:
    """Seconds from the end of each execution, as its row has it, to the answer that its caller holds in full.

    The end is stamped within the transaction that writes it, so the commit and the way of the answer are included.
    """
    delays = []
    with Caller(api) as caller:
        for _ in range(calls):
            caller.call()
            answered = time.time()
            row = fleet.client.execution(caller.execution_id).execution
            ended = datetime.fromisoformat(row.created_at).timestamp() + row.execution_time
            delays.append(answered - ended)
    return delays


def _p95_ms(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=20)[-1]


def calls_of_one(fleet: Fleet, api: Api) -> dict[str, int]:
    """The internal calls of one call with one file, by method and path."""
    while fleet.proxy.take():  # calls that belong to the last warm-up call
        time.sleep(QUIET_SECONDS)
    with Caller(api) as caller:
        caller.call()
    fleet.proxy.wait_for("/files/report/", WAIT_SECONDS)
    time.sleep(LATE_SECONDS)  # calls after the answer count, too
    return {path: len(sizes) for path, sizes in fleet.proxy.take().items()}
