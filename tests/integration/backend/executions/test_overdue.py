"""The sweep under a backlog: what waits in a busy queue is neither copied nor failed."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from docfleet.core.names import QueueName
from tests.integration.backend.sweeps import sweep


def age(api: Any, seconds: float) -> None:
    api.write(
        "UPDATE executions SET created_at = created_at - :s, progress_at = progress_at - :s, "
        "dispatched_at = dispatched_at - :s, redispatched_at = redispatched_at - :s",
        s=seconds,
    )


def test_five_hundred_queued_executions_are_neither_copied_nor_failed(fresh_api: Any) -> None:
    """Two workers take ten minutes for what lies in the queue: ticks every half a minute send no copy of it."""
    workflow = fresh_api.workflow()
    runs = [fresh_api.run(workflow) for _ in range(500)]
    copies = Counter[str]()
    started, moved = time.monotonic(), 0.0
    for tick in range(20):
        fresh_api.recorder.lying = {QueueName.GENERAL.value: 500 - 25 * tick}
        move = 29.0 * (tick + 1) - moved - (time.monotonic() - started)  # the test itself takes time, too
        if move > 0:
            age(fresh_api, move)
            moved += move
        done = sweep(fresh_api)
        assert done["expired"] == done["poisoned"] == done["finalized"] == 0
        copies.update(args[2] for _, args, _, _ in fresh_api.recorder.sent)
    assert not copies, f"{sum(copies.values())} copies while the queue drained"
    assert {run.status for run in runs[::50]} == {"PENDING"}


def test_a_broker_that_lost_an_entire_queue_gets_it_again(fresh_api: Any) -> None:
    workflow = fresh_api.workflow()
    runs = {fresh_api.run(workflow).id for _ in range(250)}
    age(fresh_api, 61)
    found: set[str] = set()
    for _ in range(2):
        sweep(fresh_api)
        found |= {args[2] for _, args, _, _ in fresh_api.recorder.sent}
    assert found == runs


def lose_orchestration(run: Any) -> None:
    run.age(200)


def lose_batch(run: Any) -> None:
    run.ready(2).age(200)


def lose_file(run: Any) -> None:
    """Handed out again once, by a message that got lost as well."""
    run.ready(1).take(1)
    run.expire_leases()
    assert sweep(run.api)["redispatched_files"] == 1
    run.age(200)


LOSSES = [lose_orchestration, lose_batch, lose_file]


def resent(api: Any) -> int:
    api.recorder.lying = dict.fromkeys((name.value for name in QueueName), 9)
    done = sweep(api)
    return done["redispatched_executions"] + done["redispatched_files"]


@pytest.mark.parametrize("lose", LOSSES)
def test_what_a_busy_queue_has_moved_past_is_sent_again_at_the_deadline(fresh_api: Any, lose: Any) -> None:
    """A later execution has been taken from the queue, long enough ago: what is missed is not in it any more."""
    run, later = fresh_api.run(), fresh_api.run(fresh_api.workflow(name="later"))
    lose(run)
    assert resent(fresh_api) == 0
    later.ready(2).age(1)
    later.take(1)
    assert resent(fresh_api) == 0, "who took this one at that time would not have been heard of yet"
    later.age(61)
    assert resent(fresh_api) == 1
    assert run.id in str(fresh_api.recorder.sent[0])
    assert resent(fresh_api) == 0, "it was sent a moment ago"


@pytest.mark.parametrize("lose", LOSSES[1:])
def test_a_later_execution_whose_batch_nobody_took_shows_nothing(fresh_api: Any, lose: Any) -> None:
    run, later = fresh_api.run(), fresh_api.run(fresh_api.workflow(name="later"))
    lose(run)
    later.ready(2).age(100)
    assert resent(fresh_api) == 0
    later.take(1)
    assert resent(fresh_api) == 1


@pytest.mark.parametrize("lose", LOSSES)
def test_an_earlier_execution_another_organization_and_another_queue_show_nothing(fresh_api: Any, lose: Any) -> None:
    earlier, run = fresh_api.run(fresh_api.workflow(name="earlier")), fresh_api.run()
    other, deployment = fresh_api.other().run(), fresh_api.publish()
    called = deployment.call(("a.txt", b"a"))
    deployment.work(called)
    lose(run)
    for execution, age in ((earlier, 300), (other, 100)):
        execution.ready(2).age(age)
        execution.take(1)
    called.age(100)
    fresh_api.write("UPDATE executions SET progress_at = progress_at + 50 WHERE id = :e", e=called.id)
    assert called.status == "COMPLETED"
    assert resent(fresh_api) == 0


def test_a_queue_of_another_kind_holds_nothing_up(fresh_api: Any) -> None:
    run = fresh_api.run().ready(3)
    fresh_api.recorder.lying = {QueueName.GENERAL.value: 9, QueueName.API_FILE_PROCESSING.value: 9}
    run.age(61)
    assert sweep(fresh_api)["redispatched_executions"] == 1


def test_copies_of_files_handed_out_again_wait_for_the_queue(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.take(2)
    run.expire_leases()
    fresh_api.recorder.lying = {QueueName.FILE_PROCESSING.value: 50}
    assert sweep(fresh_api)["redispatched_files"] == 2, "the first time it is certain that nobody has them"
    sent = 0
    for _ in range(19):
        run.age(30)
        sent += sweep(fresh_api)["redispatched_files"]
    assert sent == 0
    run.age(60)
    assert sweep(fresh_api)["redispatched_files"] == 2
