"""The table of worker types: the only source for tasks, limits, ports and commands. Queues: ``core.names``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import API_QUEUES, WORKER_QUEUES, QueueName, TaskName, WorkerType


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One worker type. Limits are in seconds; ``concurrency`` 0 means one slot per processor.

    ``preload`` names connectors whose modules the parent imports before it forks: their pages are shared, while a
    child's own import is private to it.
    ``beat`` has Celery beat run inside it. ``own_unacked``: its limits are shorter than those of other types, so on
    Redis it keeps a list of its own of unacknowledged messages (``builder``). ``prefetch``: the number of
    messages that each slot reserves at least.
    """

    type: WorkerType
    tasks: tuple[TaskName, ...]
    health_port: int
    concurrency: int = 2
    pool: str = "prefork"
    time_limit: int = 3600
    soft_time_limit: int = 3300
    preload: tuple[str, ...] = ()
    beat: bool = False
    own_unacked: bool = False
    prefetch: int = 1
    max_tasks_per_child: int = 1000

    @property
    def queues(self) -> tuple[QueueName, ...]:
        """The queues it consumes; a task of this type whose sender names no queue goes to the first one."""
        return WORKER_QUEUES[self.type]

    @property
    def consumes_in_order(self) -> bool:
        """Whether its queues are consumed in the order of ``consumed``, and not in turn: calls of an API go first."""
        return len(self.queues) > 1 and any(queue in API_QUEUES for queue in self.queues)

    def consumed(self, names: Sequence[str] | None = None) -> tuple[QueueName, ...]:
        """The queues of a worker that is to consume only those of ``names``; those of API calls first.

        Raises ``ConfigurationError`` for a queue that is not the type's.
        """
        own = {queue.value: queue for queue in self.queues}
        wanted = list(own) if names is None else [name.strip() for name in names]
        if not wanted or any(name not in own for name in wanted):
            foreign = ", ".join(repr(name) for name in wanted if name not in own) or "no queue"
            raise ConfigurationError(
                f"--queues: a {self.type.value} worker does not consume {foreign}; its queues are {', '.join(own)}"
            )
        return tuple(sorted((own[name] for name in dict.fromkeys(wanted)), key=lambda queue: queue not in API_QUEUES))

    @property
    def tasks_module(self) -> str:
        """The module that registers the tasks."""
        return f"docfleet.workers.{self.type.value}.tasks"


WORKERS: dict[WorkerType, WorkerSpec] = {
    spec.type: spec
    for spec in (
        WorkerSpec(
            type=WorkerType.API_DEPLOYMENT,
            tasks=(TaskName.ASYNC_EXECUTE_BIN, TaskName.ASYNC_EXECUTE_BIN_API),
            health_port=8080,
        ),
        WorkerSpec(
            type=WorkerType.GENERAL,
            # The original's Celery beat sends its schedules here. The scheduler's row has the task, too.
            tasks=(TaskName.ASYNC_EXECUTE_BIN, TaskName.ASYNC_EXECUTE_BIN_GENERAL, TaskName.EXECUTE_PIPELINE_TASK),
            health_port=8081,
            preload=("local",),
        ),
        WorkerSpec(
            type=WorkerType.FILE_PROCESSING,
            tasks=(TaskName.PROCESS_FILE_BATCH,),
            health_port=8082,
            concurrency=0,
            time_limit=7200,
            soft_time_limit=6300,
            preload=("local", "sqlite"),
        ),
        WorkerSpec(
            type=WorkerType.CALLBACK,
            tasks=(
                TaskName.PROCESS_BATCH_CALLBACK,
                TaskName.PROCESS_BATCH_CALLBACK_API,
                TaskName.PROCESS_BATCH_ERRBACK,
            ),
            health_port=8083,
        ),
        WorkerSpec(
            type=WorkerType.NOTIFICATION,
            tasks=(
                TaskName.SEND_WEBHOOK_NOTIFICATION,
                TaskName.PROCESS_NOTIFICATION,
                TaskName.SEND_BATCH_NOTIFICATIONS,
                TaskName.PRIORITY_NOTIFICATION,
            ),
            health_port=8085,
            # Its tasks wait for targets most of the time; each attempt has its own limit, far below these.
            concurrency=4,
            time_limit=300,
            soft_time_limit=270,
            own_unacked=True,
        ),
        WorkerSpec(
            type=WorkerType.LOG_CONSUMER,
            tasks=(TaskName.LOGS_CONSUMER,),
            health_port=8086,
            # One slot: the lines of an execution are written in the order in which they were sent. On Redis, a message
            # of a killed worker is redelivered after twice this limit.
            concurrency=1,
            time_limit=22,
            soft_time_limit=19,
            own_unacked=True,
            # The tasks are short: the next message is at hand when one is done.
            prefetch=4,
            # A new child blocks the only slot for a second.
            max_tasks_per_child=100_000,
        ),
        WorkerSpec(
            type=WorkerType.SCHEDULER,
            tasks=(
                TaskName.SWEEP,
                TaskName.TICK_SCHEDULES,
                TaskName.DISPATCH_NOTIFICATIONS,
                TaskName.EXECUTE_PIPELINE_TASK,
                TaskName.EXECUTE_PIPELINE_TASK_V2,
            ),
            health_port=8087,
            beat=True,
        ),
    )
}
