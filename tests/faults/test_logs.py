"""Lines of executions' logs on their way: whoever is killed while they are written, each is there once."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import kombu
import pytest
import sqlalchemy as sa

from docfleet.core.log_events import new_event_id
from docfleet.core.names import QueueName, TaskName, WorkerType
from tests.faults.fault_run import FaultRun
from tests.faults.world import World
from tests.waiting import until

# What a killed worker held comes again on Redis after two of these limits, and after that is looked for.
SETTINGS = {"LOG_CONSUMER_TASK_TIME_LIMIT": "4"}
WORKERS = {WorkerType.LOG_CONSUMER: 1, WorkerType.API_DEPLOYMENT: 0, WorkerType.CALLBACK: 0}
MESSAGES, LINES = 12, 25
SECONDS = 90.0


class Lines:
    """Messages with lines of one execution."""

    def __init__(self, world: World, run: FaultRun) -> None:
        self.world = world
        self.run = run
        self.sent: list[str] = []
        self.messages: list[set[str]] = []
        """The lines of each that ``publish`` sent."""

    def event(self, text: str) -> dict[str, Any]:
        self.sent.append(new_event_id())
        return {
            "event_id": self.sent[-1],
            "timestamp": time.time(),
            "execution_id": self.run.id,
            "organization_id": self.world.client.organization_id,
            "log": text,
        }

    def publish(self, messages: int = MESSAGES, lines: int = LINES) -> None:
        with self.world.channel() as channel:
            for number in range(messages):
                events = [self.event(f"{number}.{line}") for line in range(lines)]
                headers = {"task": TaskName.LOGS_CONSUMER.value, "id": str(uuid.uuid4())}
                self.messages.append({event["event_id"] for event in events})
                body = [[], {"events": events}, {}]
                self.world.publish(channel, QueueName.LOGS, json.dumps(body), headers=headers)

    def written(self) -> list[str]:
        with self.world.database.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT event_id FROM execution_logs WHERE execution_id = :e ORDER BY sequence"),
                {"e": self.run.id},
            )
            return [row.event_id for row in rows]

    def missing(self) -> set[str]:
        return set(self.sent) - set(self.written())

    def check(self, *, may_lose: int = 0) -> None:
        """All are there, once, and nothing comes any more; but for so many messages that may be lost as a whole."""
        end = time.monotonic() + SECONDS
        while (missing := self.missing()) and time.monotonic() < end:
            time.sleep(0.05)
        lost = [message for message in self.messages if message & missing]
        assert len(lost) <= may_lose and missing == set().union(*lost), f"{len(missing)} lines are missing"
        until(lambda: not self.world.queued(QueueName.LOGS), SECONDS, what="messages are left in the queue")
        written = [found for found in self.written() if found in set(self.sent)]
        assert sorted(written) == sorted(set(self.sent) - missing), "lines are doubled"


@pytest.fixture
def lines(world: World) -> Lines:
    run = world.run({"a.txt": "one"})
    until(lambda: not world.queued(QueueName.LOGS), SECONDS, what="the run's own lines are not written")
    return Lines(world, run)


@pytest.mark.parametrize("action", ["kill", "kill_group"])
@pytest.mark.parametrize("point", ["logs.taken", "logs.written"])
def test_a_consumer_dies_over_a_message(world: World, lines: Lines, point: str, action: str) -> None:
    """``kill`` is the child at work, ``kill_group`` the whole worker; before the lines are written, and after that but
    before the message is acknowledged."""
    world.arm(f"{point}={action}@3")
    lines.publish()
    world.await_met(point)
    # Redis hands a message out before Celery's client notes it as not acknowledged: a parent that is killed between the
    # two loses that one. RabbitMQ keeps it, and the parent of a killed child is there still.
    lines.check(may_lose=1 if action == "kill_group" and world.leg == "redis" else 0)


def test_a_consumer_dies_again_and_again(world: World, lines: Lines) -> None:
    world.arm("logs.written=kill@2-6")
    lines.publish()
    world.await_met("logs.written", 5)
    lines.check()


def test_the_backend_dies_before_it_commits(world: World, lines: Lines) -> None:
    world.arm("logs.before_commit=kill@3")
    lines.publish()
    world.await_met("logs.before_commit")
    world.disarm()
    lines.check()


def test_the_backend_is_away_for_a_while(world: World, lines: Lines) -> None:
    """Longer than the consumer tries: the messages go back into the queue, and come again."""
    world.rest("backend")
    lines.publish(messages=3)
    time.sleep(6.0)
    world.wake("backend")
    lines.check()


def test_a_message_comes_twice(world: World, lines: Lines) -> None:
    world.rest("log_consumer")
    lines.publish(messages=1)
    world.duplicate(QueueName.LOGS, copies=3)
    world.wake("log_consumer")
    lines.check()


def test_a_line_in_the_original_s_form(world: World, lines: Lines) -> None:
    """A header with the task's name and nothing else, an object as body, on the default exchange."""
    event = {**lines.event("in the original's words"), "type": "LOG", "level": "INFO", "stage": "RUN"}
    del event["event_id"]
    body = {
        "args": [],
        "kwargs": {"event": "logs:channel", "message": event, "user_session_id": "channel"},
        "retries": 0,
        "utc": True,
    }
    headers = {"task": TaskName.LOGS_CONSUMER.value}
    with world.channel() as channel:
        for _ in range(3):
            kombu.Producer(channel).publish(body, serializer="json", routing_key=QueueName.LOGS.value, headers=headers)

    def found() -> list[dict[str, Any]]:
        return [line for line in world.client.logs(lines.run.id) if line.log == event["log"]]

    until(found, SECONDS, what="the line is missing")
    until(lambda: not world.queued(QueueName.LOGS), SECONDS, what="messages are left in the queue")
    (line,) = found()
    assert line["channel"] == "channel" and line["stage"] == "RUN"


def test_the_broker_dies_while_lines_wait(world: World) -> None:
    """What workers could not send waits in them, and is sent when the broker is there again."""
    world.arm("tool.before=hold")
    run = world.begin({f"{number}.txt": "text" for number in range(4)})
    world.await_met("tool.before")
    world.broker.kill()
    world.disarm()
    world.broker.start()
    run.wait()
    names = [f"{number}.txt: delivered" for number in range(4)]

    def told() -> bool:
        texts = [line.log for line in world.client.logs(run.id)]
        return all(sum(text.startswith(name) for text in texts) == 1 for name in names)

    until(told, SECONDS, what="what the files' worker told is missing")
