"""Lines of executions' logs in a worker: bounded, never in a task's way, never lost by the message's form."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Reject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docfleet.core.errors import BackendUnavailable, NotFound
from docfleet.core.log_events import (
    LARGEST_DATA,
    LogEvent,
    LogLevel,
    LogsWritten,
    LogType,
    new_event_id,
    read_event,
)
from docfleet.workers.log_consumer import delivery
from docfleet.workers.shared.infrastructure.celery.builder import celery_config
from docfleet.workers.shared.infrastructure.celery.intake import MessageRejected, accept_original, check
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from docfleet.workers.shared.infrastructure.context.state_store import EXECUTION_ID, ORGANIZATION_ID, StateStore
from docfleet.workers.shared.infrastructure.logging import publisher, workflow_log
from docfleet.workers.shared.infrastructure.logging.buffer import LogBuffer
from docfleet.workers.shared.infrastructure.logging.publisher import LogPublisher

SECONDS = 20.0
ENVIRONMENT = {
    "CELERY_BROKER_BASE_URL": "redis://localhost:1/0",
    "CELERY_RESULT_BACKEND": "redis://localhost:1/1",
    "REDIS_URL": "redis://localhost:1/2",
    "INTERNAL_API_BASE_URL": "http://localhost:1/internal",
    "INTERNAL_SERVICE_API_KEY": "k" * 40,
    "UNSTRACT_RUNNER_URL": "http://localhost:1",
    "RUNNER_API_KEY": "r" * 40,
    "EXECUTION_STORAGE_ROOT": "/nowhere",
}


def line(text: str = "x", level: LogLevel = LogLevel.INFO, organization: str = "o") -> LogEvent:
    return LogEvent(
        event_id=new_event_id(), timestamp=1.0, execution_id="e", organization_id=organization, level=level, log=text
    )


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


# The buffer


def test_a_full_buffer_drops_info_before_warn_before_error_and_counts() -> None:
    buffer = LogBuffer(4)
    for text, level in (("i1", "INFO"), ("w1", "WARN"), ("i2", "INFO"), ("e1", "ERROR")):
        buffer.put(line(text, LogLevel(level)))
    buffer.put(line("e2", LogLevel.ERROR))  # i1 goes
    buffer.put(line("w2", LogLevel.WARN))  # i2 goes
    buffer.put(line("i3", LogLevel.INFO))  # no room for it
    buffer.put(line("e3", LogLevel.ERROR))  # w1 goes
    buffer.put(line("w3", LogLevel.WARN))  # w2 goes
    assert [event.log for event in buffer.take(10)] == ["e1", "e2", "e3", "w3"]
    assert buffer.take_dropped() == 5 and buffer.take_dropped() == 0 and len(buffer) == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(LogLevel)), max_size=40), st.integers(1, 10), st.integers(1, 7))
def test_what_is_kept_is_the_most_serious_in_its_order(levels: list[LogLevel], limit: int, batch: int) -> None:
    buffer = LogBuffer(limit)
    for number, level in enumerate(levels):
        buffer.put(line(str(number), level))
    taken: list[LogEvent] = []
    while events := buffer.take(batch):
        taken += events
    numbers = [int(event.log) for event in taken]
    assert numbers == sorted(numbers) and len(numbers) == min(limit, len(levels))
    assert len(numbers) + buffer.take_dropped() == len(levels)
    kept = sorted(event.level.rank for event in taken)
    assert kept == sorted(level.rank for level in levels)[len(levels) - len(kept) :]


def test_what_could_not_be_sent_is_first_again() -> None:
    buffer = LogBuffer(10)
    for number in range(4):
        buffer.put(line(str(number), LogLevel.ERROR if number == 2 else LogLevel.INFO))
    buffer.put_back(buffer.take(3))
    assert sorted(event.log for event in buffer.take(10)) == ["0", "1", "2", "3"]


# The publisher


class Broker:
    """Takes messages, or is away."""

    def __init__(self) -> None:
        self.messages: list[list[LogEvent]] = []
        self.away = False
        self.tries = 0
        self.hangs = threading.Event()
        self.hangs.set()

    def __call__(self, events: list[LogEvent]) -> None:
        self.tries += 1
        self.hangs.wait(SECONDS)
        if self.away:
            raise ConnectionError("away")
        self.messages.append(events)

    @property
    def texts(self) -> list[str]:
        return [event.log for message in self.messages for event in message]


def test_lines_go_by_fifties_and_soon() -> None:
    broker = Broker()
    publisher = LogPublisher(broker)
    for number in range(120):
        publisher.put(line(str(number)))
    until(lambda: len(broker.texts) == 120)
    assert broker.texts == [str(number) for number in range(120)]
    assert max(map(len, broker.messages)) == 50
    began = time.monotonic()
    publisher.put(line("alone"))
    until(lambda: "alone" in broker.texts)
    assert time.monotonic() - began < 15
    assert publisher.close(SECONDS)


def test_a_broker_that_hangs_or_is_away_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "FIRST_WAIT_SECONDS", 0.01)
    broker = Broker()
    carrier = LogPublisher(broker, LogBuffer(100))
    broker.hangs.clear()
    began = time.monotonic()
    for number in range(5000):
        carrier.put(line(str(number), LogLevel.ERROR if number == 3000 else LogLevel.INFO))
    carrier.flush()
    assert time.monotonic() - began < 15, "a task waited for the broker"
    assert not carrier.close(0.01)
    carrier = LogPublisher(broker, LogBuffer(100))
    broker.away = True
    broker.hangs.set()
    for number in range(300):
        carrier.put(line(str(number), LogLevel.ERROR if number == 30 else LogLevel.INFO))
    until(lambda: broker.tries > 3)
    assert broker.messages == []
    broker.away = False
    until(lambda: any("missing" in text for text in broker.texts))
    (told,) = (event for message in broker.messages for event in message if "missing" in event.log)
    assert told.level is LogLevel.WARN and told.execution_id == "e"
    kept = [text for text in broker.texts if text.isdigit()]
    assert int(told.log.split()[0]) == 300 - len(kept) and "30" in kept and len(kept) <= 100


def test_the_end_of_a_process_sends_what_is_left() -> None:
    broker = Broker()
    carrier = LogPublisher(broker)
    carrier.put(line("last"))
    assert carrier.close(SECONDS) and broker.texts == ["last"]
    assert LogPublisher(broker).close(0.1), "nothing was ever written, and somebody waited"


# What a task says


def test_a_line_has_the_task_s_execution_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[LogEvent] = []
    monkeypatch.setattr(workflow_log, "_publisher", lambda: SimpleNamespace(put=put.append))
    monkeypatch.setattr(workflow_log, "_is_enabled", lambda: True)
    workflow_log.WorkflowLogger.info(workflow_log.LogStage.RUN, "about nothing")
    with StateStore.scope():
        StateStore.set(EXECUTION_ID, "e")
        StateStore.set(ORGANIZATION_ID, "o")
        text = "postgresql://me:hunter2secret@host/db " + "y" * 9000
        workflow_log.WorkflowLogger.error(workflow_log.LogStage.RUN, text, step=2)
        workflow_log.WorkflowLogger.update("SOURCE", "RUNNING", "m")
        workflow_log.WorkflowLogger.progress("SOURCE", "m", 3, 9)
        # A line that cannot be made costs the task nothing.
        workflow_log.WorkflowLogger.info(workflow_log.LogStage.RUN, None)  # type: ignore[arg-type]
    first, update, progress = put
    assert (first.execution_id, first.organization_id, first.step, first.level) == ("e", "o", 2, LogLevel.ERROR)
    assert "hunter2" not in first.log and len(first.log) <= 4000 and first.channel == "e"
    assert update.type is LogType.UPDATE and (progress.iteration, progress.iteration_total) == (3, 9)


# What a message may hold

ORIGINAL = {
    "timestamp": 1700000000.25,
    "type": "LOG",
    "level": "WARN",
    "stage": "RUN",
    "log": "a line",
    "cost_type": None,
    "cost_units": "",
    "cost_value": None,
    "step": None,
    "iteration": 2,
    "iteration_total": "3",
    "execution_id": "e",
    "file_execution_id": None,
    "organization_id": "o",
}


def test_the_original_s_payloads_are_understood() -> None:
    event = read_event(ORIGINAL, "channel")
    assert event is not None and event.channel == "channel"
    assert (event.log, event.level, event.iteration_total) == ("a line", LogLevel.WARN, 3)
    again = read_event(json.loads(json.dumps(ORIGINAL)), "channel")
    assert again is not None and again.event_id == event.event_id
    other = read_event(ORIGINAL | {"timestamp": 1700000000.26})
    assert other is not None and other.event_id != event.event_id
    progress = read_event(ORIGINAL | {"type": "PROGRESS", "service": "prompt", "component": {"a": 1}, "message": "m"})
    assert progress is not None and progress.details == {"service": "prompt"} and "a" in progress.component
    ours = line("ours")
    assert read_event(ours.to_dict()) == ours
    for missing in ("execution_id", "organization_id", "timestamp"):
        assert read_event(ORIGINAL | {missing: None}) is None
    for strange in (None, [], "text", ORIGINAL | {"timestamp": "soon"}, ORIGINAL | {"timestamp": True}):
        assert read_event(strange) is None
    strange = read_event(ORIGINAL | {"step": {"a": []}, "log": 5, "level": ["x"], "big": "z" * LARGEST_DATA})
    assert strange is not None and strange.step is None and strange.details == {}


@pytest.mark.parametrize("organization", ["a\r\nX-Other: b", " a", "a\0b", "\u4e2d\u6587", "a" * 101, ""])
def test_a_line_of_an_organization_that_no_call_can_name_goes_nowhere(organization: str) -> None:
    """A call that cannot be made looks like a backend that is away: the message would come back for ever."""
    assert read_event(ORIGINAL | {"organization_id": organization}) is None


def test_half_a_character_costs_itself_and_not_the_line() -> None:
    for payload in (line("\udcff.pdf: begun").to_dict(), ORIGINAL | {"log": "\udcff.pdf: begun", "x": ["\ud800"]}):
        event = read_event(payload)
        assert event is not None and event.log == "?.pdf: begun" and read_event(payload) == event


def test_an_id_that_the_table_would_change_is_not_taken() -> None:
    """It would not be known again, and its repeat would take the whole batch with it."""
    event = read_event(ORIGINAL | {"event_id": "a\0b"})
    assert event is not None and event.event_id.isalnum()
    assert read_event(ORIGINAL | {"event_id": "a\0b"}) == event


def test_an_event_that_stays_too_large_is_none() -> None:
    """A batch that the backend refuses for its size takes a thousand others with it."""
    assert read_event(ORIGINAL | {"execution_id": "e" * 200_000}) is None
    whole = dict.fromkeys(("stage", "log", "state", "message", "component"), "\1" * 10_000)
    assert read_event(ORIGINAL | whole) is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*ORIGINAL, "event_id", "component", "state", "details", "x"]), json_values))
def test_no_payload_is_too_strange(payload: dict[str, Any]) -> None:
    event = read_event({**ORIGINAL, **payload})
    if event is not None:
        assert read_event(event.to_dict()) is not None


def message(body: Any, headers: Any) -> Any:
    return SimpleNamespace(
        headers=headers, properties={}, payload=body, body=json.dumps(body), _decoded_cache=body, delivery_info={}
    )


def test_only_a_log_line_may_come_in_the_original_s_form() -> None:
    body = {"args": [], "kwargs": {"event": "logs:c", "message": ORIGINAL}, "retries": 0, "utc": True}
    found = message(body, {"task": "logs_consumer"})
    accept_original(found)
    found.payload = found._decoded_cache
    check(found)
    assert found.payload[1]["message"] == ORIGINAL and found.headers["id"]
    for wrong in (
        message(body, {"task": "process_file_batch"}),
        message({**body, "kwargs": []}, {"task": "logs_consumer"}),
        message("text", {"task": "logs_consumer"}),
        message(body, {"task": "logs_consumer", "id": None}),
    ):
        accept_original(wrong)
        wrong.payload = wrong._decoded_cache
        with pytest.raises(MessageRejected):
            check(wrong)


# The consumer


class Backend:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.batches: list[tuple[str, list[LogEvent]]] = []
        made = self

        class Client:
            def __init__(self, transport: Any, organization_id: str) -> None:
                self.organization_id = organization_id

            def write(self, batch: Any) -> LogsWritten:
                if error is not None:
                    raise error
                made.batches.append((self.organization_id, batch.events))
                return LogsWritten(written=len(batch.events))

        monkeypatch.setattr(delivery, "LogClient", Client)
        monkeypatch.setattr(delivery, "_backend", lambda: None)


def test_a_message_is_one_call_an_organization(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend(monkeypatch)
    events = [line(str(number), organization="ab"[number % 2]).to_dict() for number in range(2500)]
    delivery.consume([*events, "strange", {"log": "nobody's"}], "c")
    assert [(name, len(batch)) for name, batch in backend.batches] == [("a", 1000), ("a", 250), ("b", 1000), ("b", 250)]


@pytest.mark.parametrize("error", [BackendUnavailable("away"), SoftTimeLimitExceeded()])
def test_a_backend_that_is_away_puts_the_message_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    Backend(monkeypatch, error)
    with pytest.raises(Reject) as rejected:
        delivery.consume([line().to_dict()], "c")
    assert rejected.value.requeue is True


def test_a_refusal_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    Backend(monkeypatch, NotFound("no such organization"))
    delivery.consume([line().to_dict()], "c")


def test_the_limits_let_the_consumer_wait_for_the_backend() -> None:
    spec = next(spec for spec in WORKERS.values() if spec.type.value == "log_consumer")
    # Four calls' time until it is put back, and one that is under way.
    assert spec.soft_time_limit > 5 * delivery.CALL_SECONDS and 5 * delivery.SHARE < 1


def test_no_worker_restores_what_another_still_works_on() -> None:
    """On Redis every worker looks through its list of unacknowledged messages by its own visibility timeout."""
    lists: dict[str, list[tuple[str, int, int]]] = {}
    for spec in WORKERS.values():
        conf = celery_config(spec, worker_settings(spec.type, ENVIRONMENT))
        options = conf["broker_transport_options"]
        entry = (spec.type.value, options["visibility_timeout"], conf["task_time_limit"])
        lists.setdefault(options.get("unacked_key", "unacked"), []).append(entry)
    for members in lists.values():
        shortest, longest = min(member[1] for member in members), max(member[2] for member in members)
        assert shortest >= longest, members
