"""Schedules: two schedulers and a thousand pipelines of one minute, one of them killed; a backend that dies between.

Each pipeline runs once, and none is lost.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from docfleet.core.names import QueueName, WorkerType
from tests.acceptance.fleet import fill
from tests.faults.world import World
from tests.waiting import until

MANY = 1000
SOME = 120
NAME = "thousand"
PATIENCE_SECONDS = 200.0
SETTINGS = {"DISPATCH_DEADLINE_SECONDS": "20", "SCHEDULE_LATE_SECONDS": "600"}
"""A slow machine takes its time over a thousand: none of them is lost or late by then."""


class Pipelines:
    """So many pipelines of one workflow, all of them due at once."""

    def __init__(self, world: World, count: int) -> None:
        self.world = world
        self.count = count
        self.mark = f"{NAME}-{uuid.uuid4().hex[:8]}"
        source = fill(world.folder / "sources" / self.mark, {})
        self.workflow = world.client.put_workflow(
            {
                "name": self.mark,
                "source": {"connector": "local", "settings": {"path": str(source)}},
                "tools": [{"tool": "actor"}],
                "destination": world.destination("sqlite", source),
            }
        )
        self.at = int(time.time()) // 60 * 60
        rows = [
            {"id": str(uuid.uuid4()), "name": f"{self.mark}-{number}", "at": self.at, "cron": self._cron}
            for number in range(count)
        ]
        columns = "id, organization_id, workflow_id, pipeline_name, pipeline_type, active, run_count, created_at"
        with world.database.begin() as connection:
            connection.execute(
                sa.text(
                    f"INSERT INTO pipelines ({columns}, modified_at, cron_string, next_tick_at, next_run_at) "
                    f"VALUES (:id, :o, :w, :name, 'ETL', :active, 0, 0, 0, :cron, :at, :at)"
                ),
                [{**row, "o": world.client.organization_id, "w": self.workflow, "active": True} for row in rows],
            )
        self.due_since = time.monotonic()

    @property
    def _cron(self) -> str:
        moment = time.gmtime(self.at)
        return f"{moment.tm_min} {moment.tm_hour} * * *"

    def rows(self, query: str) -> list[Any]:
        with self.world.database.connect() as connection:
            return list(connection.execute(sa.text(query), {"w": self.workflow}))

    @property
    def runs(self) -> int:
        return int(self.rows("SELECT count(*) FROM executions WHERE workflow_id = :w")[0][0])

    def statuses(self) -> dict[str, int]:
        """Executions by status."""
        return dict(
            tuple(row)
            for row in self.rows("SELECT status, count(*) FROM executions WHERE workflow_id = :w GROUP BY status")
        )

    def check(self) -> None:
        """Each has one tick, fired, and one execution, which is the tick's."""
        ticks = self.rows(
            "SELECT t.pipeline_id, t.scheduled_for, t.outcome, e.pipeline_id FROM schedule_ticks t "
            "JOIN pipelines p ON p.id = t.pipeline_id JOIN executions e ON e.id = t.execution_id "
            "WHERE p.workflow_id = :w"
        )
        assert len(ticks) == self.runs == self.count
        assert {(at, outcome) for _, at, outcome, _ in ticks} == {(self.at, "fired")}
        assert all(tick[0] == tick[3] for tick in ticks) and len({tick[0] for tick in ticks}) == self.count

    def remove(self) -> None:
        """They run no more, and what was begun is over."""
        for statement in (
            "UPDATE pipelines SET active = :no, next_run_at = NULL WHERE workflow_id = :w",
            "UPDATE executions SET status = 'STOPPED', finished_at = created_at WHERE workflow_id = :w "
            "AND status IN ('PENDING', 'EXECUTING')",
        ):
            # Each by itself: the end of an execution locks its row first and that of its pipeline second.
            with self.world.database.begin() as connection:
                connection.execute(sa.text(statement), {"w": self.workflow, "no": False})


@pytest.mark.short
def test_a_thousand_pipelines_of_one_minute_with_two_schedulers_one_of_them_killed(world: World) -> None:
    world.rest("general")  # so that what is sent can be counted
    world.add_worker(WorkerType.SCHEDULER, name="scheduler-2")
    pipelines = Pipelines(world, MANY)
    try:
        until(lambda: pipelines.runs >= MANY // 10, PATIENCE_SECONDS, what="nothing fires")
        world.kill("scheduler")
        until(lambda: world.queued(QueueName.GENERAL) >= MANY, PATIENCE_SECONDS, what=f"only {pipelines.runs} began")
        print(f"{MANY} pipelines dispatched {time.monotonic() - pipelines.due_since:.1f} s after they were due")
        world.await_ready("scheduler")
        pipelines.check()
        world.sweep()
        assert world.queued(QueueName.GENERAL) == MANY, "something was sent twice"
    finally:
        pipelines.remove()
        with world.channel() as channel:
            channel.queue_purge(QueueName.GENERAL.value)
        world.remove("scheduler-2")
        world.wake("general")


def test_the_backend_dies_before_and_after_a_commit(world: World) -> None:
    """What was not committed is due still; what was committed and not sent, the sweep sends."""
    world.arm("schedule.before_commit=kill_group@2\nschedule.committed=kill_group@2")
    pipelines = Pipelines(world, SOME)
    try:
        world.await_met("schedule.before_commit")
        world.await_met("schedule.committed")
        until(lambda: pipelines.statuses() == {"COMPLETED": SOME}, PATIENCE_SECONDS, what=str(pipelines.statuses()))
        pipelines.check()
    finally:
        pipelines.remove()
