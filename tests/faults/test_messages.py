"""Every message may come twice; what cannot be read, or is not ours, costs nobody anything."""

from __future__ import annotations

import json
import pickle
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.names import QueueName, TaskName
from tests.faults.nonsense import NONSENSE
from tests.faults.world import BATCHES, World
from tests.task_messages import EMBED, envelope
from tests.waiting import until

FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")


@pytest.mark.short
def test_a_header_comes_twice(world: World) -> None:
    """The copy is counted as nobody's: the execution does not end while a file is open, and no file is done twice."""
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    world.duplicate(QueueName.FILE_PROCESSING, copies=2)
    world.arm("tool.before(07.txt)=hold; batch.returned=mark")
    with world.patient():
        world.await_met("tool.before")
        world.await_met("batch.returned", BATCHES + 2 - 1)
        until(lambda: sum(run.delivered().values()) == len(FILES) - 1, what="the other files are not delivered")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert not run.is_final(), "the execution ended with a file open"
            time.sleep(0.1)
        world.disarm()
        run.check(COMPLETED)


def test_every_header_comes_three_times(world: World) -> None:
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    for _ in range(BATCHES):
        world.duplicate(QueueName.FILE_PROCESSING, copies=2)
    world.wake("file_processing")
    run.check(COMPLETED)


@pytest.mark.short
def test_the_callback_comes_three_times(world: World) -> None:
    world.rest("callback")
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING_CALLBACK) >= 1, what="there is no callback")
    world.duplicate(QueueName.FILE_PROCESSING_CALLBACK, copies=2)
    world.arm("callback.finalized=mark")
    world.wake("callback")
    world.await_met("callback.finalized", 3)
    run.check(COMPLETED)


@pytest.mark.parametrize("action", ["kill", "kill_group", "raise"])
@pytest.mark.parametrize("point", ["callback.before", "callback.finalized"])
def test_the_callback_dies(world: World, point: str, action: str) -> None:
    world.arm(f"{point}={action}@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)


@pytest.mark.short
def test_two_orchestrators_at_once(world: World) -> None:
    """Three copies of ``async_execute_bin``; the first one has listed the source when the others start."""
    world.rest("general")
    world.clear(QueueName.GENERAL)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.GENERAL) >= 1, what="the execution was not sent")
    world.duplicate(QueueName.GENERAL, copies=2)
    world.arm("orchestrate.listed=hold@1")
    world.wake("general")
    world.await_met("orchestrate.listed")
    run.wait()
    world.disarm()
    run.check(COMPLETED)
    assert len(run.files()) == len(FILES)


def test_two_orchestrators_between_listing_and_start(world: World) -> None:
    world.rest("general")
    world.clear(QueueName.GENERAL)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.GENERAL) >= 1, what="the execution was not sent")
    world.duplicate(QueueName.GENERAL, copies=1)
    world.arm("orchestrate.registered=hold@1-2")
    world.wake("general")
    world.await_met("orchestrate.registered", 2)
    world.disarm()
    run.check(COMPLETED)


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def corrupt_messages(trap: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Body and options of messages nobody should be able to hurt a worker with."""
    batch = TaskName.PROCESS_FILE_BATCH.value
    return {
        "not JSON": (b"\xff\xfe{{{", envelope(batch)),
        "not a task": (json.dumps({"hello": 1}), {}),
        "a broken envelope": (json.dumps([1]), {"headers": {"task": None, "id": 7}}),
        "a list of tasks": (json.dumps([[], {}, EMBED]), {"headers": {"task": [batch], "id": "7"}}),
        "no arguments": (json.dumps([[], {}, EMBED]), envelope(batch)),
        "wrong arguments": (NONSENSE, envelope(batch)),
        "an unknown task": (json.dumps([[], {}, EMBED]), envelope("os.system")),
        "pickle": (pickle.dumps(Trap(trap)), envelope(batch, content_type="application/x-python-serialize")),
        "pickle in disguise": (pickle.dumps(Trap(trap)), envelope(batch)),
        "an unknown type": (b"x", envelope(batch, content_type="application/x-unknown", content_encoding="binary")),
    }


@pytest.mark.short
def test_messages_that_cannot_be_read(world: World) -> None:
    trap = world.folder / "trap"
    with world.channel() as channel:
        for body, options in corrupt_messages(trap).values():
            world.publish(channel, QueueName.FILE_PROCESSING, body, **options)
            world.publish(channel, QueueName.GENERAL, body, **options)
            world.publish(channel, QueueName.FILE_PROCESSING_CALLBACK, body, **options)
    run = world.begin(FILES)
    run.check(COMPLETED)
    until(lambda: not any(world.queued(queue) for queue in (QueueName.FILE_PROCESSING, QueueName.GENERAL)))
    assert not trap.exists(), "a pickle was loaded"


def test_a_raw_line_in_the_queue(world: World) -> None:
    """What no client of the broker would write: only a Redis list takes it."""
    if world.leg != "redis":
        pytest.skip("RabbitMQ has no raw lines")
    world.command("LPUSH", QueueName.FILE_PROCESSING.value, "garbage")
    world.command("LPUSH", QueueName.FILE_PROCESSING.value, "{}")
    run = world.begin(FILES)
    run.check(COMPLETED)


@pytest.mark.parametrize("body", [b"\xff{{", b"[[], {}, {}]"])
def test_a_header_is_corrupted_on_its_way(world: World, body: bytes) -> None:
    """The chord never completes: the sweep does."""
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    world.replace(QueueName.FILE_PROCESSING, body)
    world.wake("file_processing")
    run.check(COMPLETED)


def test_a_batch_of_another_organization(world: World) -> None:
    """A message that names an execution under a foreign organization changes nothing of it."""
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    data = {"execution_id": run.id, "organization_id": "somebody-else", "workflow_id": str(uuid.uuid4())}
    with world.channel() as channel:
        body = json.dumps([[{"file_data": data, "batch_index": 0, "batch_count": 1, "files": []}], {}, EMBED])
        world.publish(channel, QueueName.FILE_PROCESSING, body, **envelope(TaskName.PROCESS_FILE_BATCH.value))
    world.wake("file_processing")
    run.check(COMPLETED)
