"""The result backend, the broker, and the time-outs of both.

A worker that is told to end is in ``tests/acceptance/workers/``, on both brokers.
"""

from __future__ import annotations

import time
import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from docfleet.core.management.keys import Role, Scope
from docfleet.core.names import QueueName, WorkerType
from tests.acceptance.fleet import Stage, fill
from tests.acceptance.published import Published, request
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS, FaultRun
from tests.faults.world import BATCHES, World
from tests.waiting import until

SETTINGS = {"TOOL_TIMEOUT_SECONDS": "60"}
"""A tool waits for longer than RabbitMQ needs to start."""
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
WITH_SLOW = {**FILES, "slow.txt": "wait"}
SLOW_COMPLETED = {**COMPLETED, "slow.txt": "COMPLETED"}
ANSWER_SECONDS = 30.0
"""A caller has an answer within this while the broker does not: two tries, and a slow machine."""


def stage_of(world: World) -> Stage:
    return Stage(world.folder / f"stage-{len(world.runs)}")


# The result backend is away


@pytest.mark.parametrize("seconds", [pytest.param(8, marks=pytest.mark.short), 60])
def test_the_result_backend_is_away_when_the_headers_end(world: World, seconds: float) -> None:
    """The rows know that all is done: nobody waits for the chord. Afterwards the slots take work again."""
    stage = stage_of(world)
    run = world.begin(WITH_SLOW, tool=stage.tool)
    stage.await_starts(1)
    until(lambda: sum(run.delivered().values()) == len(FILES), what="the other files are not delivered")
    with world.without_results():
        away = time.monotonic()
        stage.open()
        run.wait(min(seconds, DEADLINE_SECONDS) + PATIENCE_SECONDS)
        time.sleep(max(0.0, away + seconds - time.monotonic()))
    run.check(SLOW_COMPLETED)
    world.begin(FILES).check(COMPLETED)


def test_the_result_backend_is_away_when_the_batches_are_sent(world: World) -> None:
    world.arm("orchestrate.started=hold@1")
    run = world.begin(FILES)
    world.await_met("orchestrate.started")
    with world.without_results():
        world.disarm()
        run.wait()
    run.check(COMPLETED)
    world.begin(FILES).check(COMPLETED)


# The broker restarts


@contextmanager
def broker_away(world: World, how: str) -> Iterator[None]:
    """``kill``: -9 and a start with what was on the disk. ``restart``: in order, RabbitMQ's application only."""
    in_order = how == "restart" and world.leg == "rabbitmq"
    if in_order:
        world.rabbitmq.control("stop_app")
    elif how == "restart":
        world.broker.stop()
    else:
        world.broker.kill()
    try:
        yield
    finally:
        if in_order:
            world.rabbitmq.control("start_app")
        else:
            world.broker.start()


HOW = ["restart", pytest.param("kill", marks=pytest.mark.short)]


@pytest.mark.parametrize("how", HOW)
def test_the_broker_restarts_in_the_middle_of_a_header(world: World, how: str) -> None:
    """What comes twice finds its files held, or done."""
    stage = stage_of(world)
    with world.patient():
        run = world.begin(WITH_SLOW, tool=stage.tool)
        stage.await_starts(1)
        with broker_away(world, how):
            time.sleep(4)
        stage.open()
        run.check(SLOW_COMPLETED)
    assert len(stage.started()) == 1, "a file that was held was worked on twice"


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_the_broker_restarts_while_batches_are_queued(world: World, how: str) -> None:
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    with broker_away(world, how):
        time.sleep(1)
    world.wake("file_processing")
    run.check(COMPLETED)


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_the_broker_restarts_in_the_middle_of_the_callback(world: World, how: str) -> None:
    world.arm("callback.before=hold@1")
    run = world.begin(FILES)
    world.await_met("callback.before")
    with broker_away(world, how):
        world.disarm()
        time.sleep(2)
    run.check(COMPLETED)


def test_the_broker_is_away_when_the_last_header_ends(world: World) -> None:
    """Its acknowledgement and the callback are lost with it."""
    stage = stage_of(world)
    run = world.begin(WITH_SLOW, tool=stage.tool)
    stage.await_starts(1)
    with broker_away(world, "kill"):
        stage.open()
        until(lambda: sum(run.delivered().values()) == len(WITH_SLOW), what="no delivery without a broker")
        run.wait()
    run.check(SLOW_COMPLETED)
    world.begin(FILES).check(COMPLETED)


# The broker is away


def test_the_broker_is_away_when_an_execution_is_accepted(world: World) -> None:
    """The caller hears of it in time, and nothing is left that runs later, or never."""
    before = count_executions(world)
    with broker_away(world, "kill"):
        begun = time.monotonic()
        refused(world)
        assert time.monotonic() - begun < ANSWER_SECONDS
    after = count_executions(world)
    assert {status: after[status] - before.get(status, 0) for status in after} == {"ERROR": 1} | {
        status: 0 for status in after if status != "ERROR"
    }
    world.begin(FILES).check(COMPLETED)
    assert count_executions(world)["ERROR"] == after["ERROR"]


@pytest.mark.short
@pytest.mark.parametrize("way", ["trigger", "upload", "management"])
def test_the_broker_is_away_while_a_call_with_a_key_is_repeated(world: World, way: str) -> None:
    """Every repeat has the same execution, and it runs once when the broker is back."""
    before = count_executions(world)
    call = Repeated(world, way)
    with broker_away(world, "kill"):
        begun = time.monotonic()
        answers = [call() for _ in range(3)]
        assert time.monotonic() - begun < 3 * ANSWER_SECONDS
        assert {status for status, _ in answers} == {200 if way == "upload" else 202}
        assert len({execution_id for _, execution_id in answers}) == 1
        assert sum(count_executions(world).values()) == sum(before.values()) + 1
    call.run(answers[0][1]).check(COMPLETED)
    assert call() == (200, answers[0][1])
    assert count_executions(world) == {**before, "COMPLETED": before.get("COMPLETED", 0) + 1}


@pytest.mark.parametrize("point", ["orchestrate.listed", "orchestrate.started"])
def test_the_broker_is_away_when_the_batches_are_sent(world: World, point: str) -> None:
    world.arm(f"{point}=hold@1")
    run = world.begin(FILES)
    world.await_met(point)
    with broker_away(world, "kill"):
        world.disarm()
        time.sleep(20)
    run.check(COMPLETED)


# Publishers are blocked


@contextmanager
def alarm(world: World) -> Iterator[None]:
    """RabbitMQ has too little room on its disk: it takes nothing from whoever publishes."""
    world.rabbitmq.control("set_disk_free_limit", "9000GB")
    try:
        until(lambda: "disk" in world.rabbitmq.control("eval", "rabbit_alarm:get_alarms()."))
        yield
    finally:
        world.rabbitmq.control("set_disk_free_limit", "1MB")
        until(lambda: "disk" not in world.rabbitmq.control("eval", "rabbit_alarm:get_alarms()."))


@pytest.mark.short
def test_the_publisher_is_blocked_when_an_execution_is_accepted(world: World) -> None:
    rabbitmq_only(world)
    before = count_executions(world)
    with alarm(world):
        for _ in range(2):  # a connection that lay idle, and a fresh one
            begun = time.monotonic()
            refused(world)
            assert time.monotonic() - begun < ANSWER_SECONDS
    until(lambda: count_executions(world)["ERROR"] == before.get("ERROR", 0) + 2)
    world.begin(FILES).check(COMPLETED)
    running = {"PENDING", "EXECUTING"} & {status for status, count in count_executions(world).items() if count}
    assert not running, "a refused execution runs all the same"


@pytest.mark.parametrize("point", ["orchestrate.started", "callback.before", "report.sent"])
def test_the_publisher_is_blocked_in_the_middle(world: World, point: str) -> None:
    rabbitmq_only(world)
    world.arm(f"{point}=hold@1")
    run = world.begin(FILES)
    world.await_met(point)
    with alarm(world):
        world.disarm()
        time.sleep(30)
    run.check(COMPLETED)


# The consumer timeout of RabbitMQ


def test_rabbitmq_gives_a_consumer_up_in_the_middle_of_its_task(world: World) -> None:
    """``consumer_timeout`` was lowered behind our back: the message comes again, and finds the file held."""
    rabbitmq_only(world)
    stage = stage_of(world)
    ticking = "application:set_env(rabbit, channel_tick_interval, 1000)"
    worker = world.members["file_processing"]
    starts = worker.process.starts
    world.rabbitmq.control("eval", f"{ticking}, application:set_env(rabbit, consumer_timeout, 4000).")
    try:
        # The interval is read when a channel is opened.
        world.rest("file_processing")
        world.wake("file_processing")
        run = world.begin(WITH_SLOW, tool=stage.tool)
        stage.await_starts(1)
        until(lambda: "PRECONDITION_FAILED" in worker.process.log.read_text(), 40, what="no consumer was given up")
        time.sleep(2)
        stage.open()
        run.check(SLOW_COMPLETED)
    finally:
        world.rabbitmq.control("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
    assert worker.process.starts == starts + 1, "the worker ended"
    assert len(stage.started()) == 1, "a file that was held was worked on twice"


@pytest.mark.parametrize("limit", ["1800", "7200"])
def test_a_worker_whose_tasks_may_outlast_the_broker_refuses_to_start(world: World, limit: str) -> None:
    """RabbitMQ gives a consumer up after half an hour: a worker that may take longer says so instead of starting."""
    rabbitmq_only(world)
    worker = world.add_worker(WorkerType.FILE_PROCESSING, wait=False, settings={"CELERY_TASK_TIME_LIMIT": limit})
    try:
        until(lambda: "consumer_timeout" in worker.process.log_tail(), 30, what="it did not refuse")
        assert not worker.ready()
    finally:
        worker.stop()
        del world.members[worker.process.name]


# The visibility timeout of Redis


def test_redis_hands_a_message_out_again_while_it_is_worked_on(world: World) -> None:
    """The copies find their files held and end at once: no file is worked on twice, and no slot is lost to them."""
    if world.leg != "redis":
        pytest.skip("RabbitMQ has no visibility timeout")
    stage = stage_of(world)
    world.rest("file_processing")
    settings = {"CELERY_VISIBILITY_TIMEOUT": "3", "WORKER_ALLOW_UNSAFE_TIMEOUTS": "true"}
    hasty = [world.add_worker(WorkerType.FILE_PROCESSING, settings=settings) for _ in range(2)]
    try:
        world.arm("batch.claim.before=mark; batch.returned=mark")
        run = world.begin(WITH_SLOW, tool=stage.tool)
        stage.await_starts(1)
        world.await_met("batch.claim.before", BATCHES + 1, seconds=60)
        assert not run.is_final()
        other = world.begin(FILES)
        other.wait()
        stage.open()
        run.check(SLOW_COMPLETED)
        other.check(COMPLETED)
        assert len(stage.started()) == 1, "a file that was held was worked on twice"
    finally:
        for worker in hasty:
            worker.stop()
            del world.members[worker.process.name]


def rabbitmq_only(world: World) -> None:
    if world.leg != "rabbitmq":
        pytest.skip("only RabbitMQ does this")


def refused(world: World) -> None:
    """A caller of a pipeline is told that it cannot run now."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        world.begin(FILES)
    with caught.value as answer:
        assert answer.code in (502, 503), answer.code
        assert "broker" in answer.read().decode()


class Repeated:
    """A call that is repeated with the same idempotency key: of a pipeline, of an API, of the management API."""

    def __init__(self, world: World, way: str) -> None:
        self._world = world
        self._way = way
        self._name = f"w{uuid.uuid4().hex[:12]}"
        self._source = fill(world.folder / "sources" / self._name, dict(FILES.items()))
        self._headers = {"Idempotency-Key": uuid.uuid4().hex}
        if way == "upload":
            self._api = Published.publish(world, {"tool": "actor"})  # type: ignore[arg-type]
            return
        client = world.client
        client.put_workflow(
            {
                "name": self._name,
                "source": {"connector": "local", "settings": {"path": str(self._source)}},
                "tools": [{"tool": "actor"}],
                "destination": world.destination("sqlite", self._source),
            }
        )
        applied = client.put_pipeline({"name": self._name, "workflow": self._name})
        if way == "trigger":
            self._url = client.absolute(applied.url)
            self._headers["Authorization"] = f"Bearer {client.create_key(Scope.PIPELINE, self._name, 'faults').key}"
        else:
            self._url = f"{world.addresses.backend_url}/api/v1/pipelines/{applied.pipeline_id}/run"
            key = client.create_key(Scope.PLATFORM, None, "faults", role=Role.OPERATOR).key
            self._headers["Authorization"] = f"Bearer {key}"

    def __call__(self) -> tuple[int, str]:
        """The status of the answer, and the execution."""
        if self._way == "upload":
            answer = self._api.post(*FILES.items(), timeout="0", headers=self._headers)
            return answer.status, str(answer.body["message"]["execution_id"])
        answer = request(self._url, "POST", b"", self._headers)
        return answer.status, str(answer.body["execution_id"])

    def run(self, execution_id: str) -> FaultRun:
        """The execution, to be looked at."""
        if self._way == "upload":
            return self._world.remember(FaultRun(self._world, execution_id, "api", api=self._api))
        more = {"source": self._source, "pipeline": self._name}
        return self._world.remember(FaultRun(self._world, execution_id, "sqlite", **more))


def count_executions(world: World) -> dict[str, int]:
    with world.database.connect() as connection:
        rows = connection.execute(sa.text("SELECT status, count(*) AS number FROM executions GROUP BY status"))
        return {row.status: row.number for row in rows}
