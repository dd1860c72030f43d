"""Chords that lose their header messages: nothing waits for them once their execution has ended."""

from __future__ import annotations

import time

import pytest
import redis

from docfleet.core.names import QueueName
from tests.faults.world import BATCHES, World
from tests.waiting import until

FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
POLLS_SECONDS = 3.0
"""Several polls of a chord (CELERY_RESULT_CHORD_RETRY_INTERVAL is 0.3 s)."""


def polls(world: World) -> int:
    """Messages of the callback queue, those that a worker holds until they are due among them: as a poll does."""
    if world.leg == "redis":
        held = world.command("HVALS", "unacked") + world.command("LRANGE", QueueName.FILE_PROCESSING_CALLBACK, 0, -1)
        return sum(b"chord_unlock" in message for message in held)
    rows = world.rabbitmq.control("list_queues", "-q", "--formatter", "csv", "name", "messages").splitlines()
    counts = dict(row.strip().replace('"', "").split(",") for row in rows if "," in row)
    return int(counts[QueueName.FILE_PROCESSING_CALLBACK.value])


@pytest.mark.short
def test_nothing_polls_for_an_execution_that_has_ended(world: World) -> None:
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    if world.leg == "rabbitmq":
        until(lambda: polls(world) > 0, what="no chord polls")
    world.clear(QueueName.FILE_PROCESSING)
    world.wake("file_processing")
    run.check(COMPLETED)
    until(lambda: polls(world) == 0, 60.0, what="a chord still polls")
    end = time.monotonic() + POLLS_SECONDS
    while time.monotonic() < end:
        assert polls(world) == 0, "a chord polls again"
        time.sleep(0.2)


def test_what_a_lost_chord_leaves_with_the_results_expires(world: World) -> None:
    """On Redis there is no poll, and what there is has an end."""
    if world.leg != "redis":
        pytest.skip("rows of results are deleted by Celery")
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    with world.channel() as channel:
        channel.basic_get(QueueName.FILE_PROCESSING.value)  # one header is lost, the others come back
    world.wake("file_processing")
    run.check(COMPLETED)
    with redis.Redis.from_url(world.environment["CELERY_RESULT_BACKEND"]) as results:
        left = {key: results.ttl(key) for key in results.scan_iter("*")}
    assert left and all(seconds > 0 for seconds in left.values()), left
