"""Notifications while everything dies: workers in the middle of a delivery, the backend, the broker and its messages.

Each event reaches a target that honours the key once, and none is lost.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter

import pytest

from docfleet.core.errors import BackendUnavailable
from docfleet.core.management.notifications import OutboxEvent
from docfleet.core.names import QueueName, WorkerType
from tests.acceptance.fleet import fill
from tests.faults.world import World
from tests.notification_targets import Sink
from tests.waiting import until

SETTINGS = {
    "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
    "NOTIFICATION_TIMEOUT_SECONDS": "1",
    "NOTIFICATION_LEASE_SECONDS": "3",
    "NOTIFICATION_BREAKER_SECONDS": "1",
    "OUTBOX_RETRY_SECONDS": "0.5",
    "OUTBOX_LONGEST_WAIT_SECONDS": "1",
    "TICK_INTERVAL_SECONDS": "1",
}
RUNS = 6
PATIENCE_SECONDS = 120.0


class Subscriber:
    """A pipeline over an empty folder and the target that is notified of its runs."""

    def __init__(self, world: World, sink: Sink) -> None:
        self.world, self.sink = world, sink
        self.name = f"notified-{uuid.uuid4().hex[:8]}"
        source = fill(world.folder / "sources" / self.name, {})
        world.client.put_workflow(
            {
                "name": self.name,
                "source": {"connector": "local", "settings": {"path": str(source)}},
                "tools": [{"tool": "actor"}],
                "destination": world.destination("sqlite", source),
            }
        )
        world.client.put_pipeline({"name": self.name, "workflow": self.name})
        self.pipeline = world.client.pipeline(self.name).pipeline_id
        settings = {"url": sink.url}
        hook = {"name": self.name, "pipeline": self.name, "provider": "webhook", "settings": settings}
        world.client.put_notification({**hook, "max_attempts": 50})
        self.runs: list[str] = []

    def run(self) -> None:
        self.runs.append(self.world.client.run_pipeline(self.pipeline))

    @property
    def taken(self) -> Counter[str]:
        """Executions a target that honours the key has been notified of."""
        keys = {
            headers["idempotency-key"]: [event["execution_id"] for event in json.loads(body)["events"]]
            for (_, headers, body), status in zip(list(self.sink.got), list(self.sink.statuses), strict=False)
            if status == 200
        }
        return Counter(execution for found in keys.values() for execution in found)

    def check(self) -> None:
        def missing() -> set[str]:
            return set(self.runs) - set(self.taken)

        until(lambda: not missing(), PATIENCE_SECONDS, what=f"{len(missing())} of {len(self.runs)} were not notified")

        def events() -> list[OutboxEvent]:
            return [row for row in self.world.client.notification_events() if row.execution_id in self.runs]

        until(
            lambda: [row.status for row in events()] == ["delivered"] * len(self.runs),
            PATIENCE_SECONDS,
            what=f"{events()}",
        )
        assert self.taken == Counter(self.runs), "a repeat had another key"


@pytest.fixture
def subscriber(world: World, sink: Sink) -> Subscriber:
    if "notification" not in world.members:
        world.add_worker(WorkerType.NOTIFICATION)
    return Subscriber(world, sink)


def answers(world: World) -> bool:
    try:
        world.client.notifications()
    except BackendUnavailable:
        return False
    return True


def test_workers_die_at_each_point_of_a_delivery(world: World, subscriber: Subscriber) -> None:
    name = subscriber.name
    world.arm(
        f"notification.claimed({name})=kill_group@1; notification.sent({name})=kill@2; "
        f"notification.sent({name})=kill_group@4; notification.before_report({name})=kill@5"
    )
    for _ in range(RUNS):
        subscriber.run()
    subscriber.check()
    for point, times in (("notification.claimed", 1), ("notification.sent", 2), ("notification.before_report", 1)):
        assert len(world.met(point)) == times, f"{point} was met {len(world.met(point))} times"


def test_messages_broker_and_backend_are_lost(world: World, subscriber: Subscriber) -> None:
    world.rest("notification")
    for _ in range(RUNS // 2):
        subscriber.run()
    until(lambda: world.queued(QueueName.NOTIFICATIONS_WEBHOOK) > 0, what="no message was sent")
    with world.channel() as channel:
        channel.queue_purge(QueueName.NOTIFICATIONS_WEBHOOK.value)
    world.wake("notification")
    world.broker.kill()
    world.broker.start()
    world.rest("backend")  # without a word of warning
    world.wake("backend")
    world.await_ready()
    for _ in range(RUNS // 2):
        subscriber.run()
    world.rest("backend")
    world.wake("backend")
    subscriber.check()


def test_a_backend_that_dies_as_a_run_ends_notifies_once(world: World, subscriber: Subscriber) -> None:
    world.rest("general")
    subscriber.run()
    world.arm("finalize.before_commit=kill_group@1")
    world.wake("general")
    world.await_met("finalize.before_commit")
    until(lambda: answers(world), what="the backend did not come back")
    subscriber.check()
