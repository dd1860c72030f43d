"""Names on the wire: worker types, queues, tasks; and the rules for names that people give.

They are a contract with every sender (the registry of Unstract at 6b916eac). No other module spells them out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

# Control characters are named: dialects of regular expressions disagree on which of them are blanks.
_VISIBLE = r"[^\s\u0000-\u001f\u007f-\u009f]"
_NAME_PATTERN = rf"^{_VISIBLE}(.*{_VISIBLE})?$(?!\s)"
_API = r"^[A-Za-z0-9_-]{1,100}$(?!\s)"
GivenName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NAME_PATTERN)]
"""The name of a workflow, pipeline, notification or key: no blanks around it, because they would be invisible."""
ApiName = Annotated[str, msgspec.Meta(pattern=_API)]
"""The name of a deployment, part of its URL."""
NAME_RULES = {_NAME_PATTERN: "one line, without blanks around it", _API: "1 to 100 letters, digits, '-' and '_'"}
"""What each pattern means, for people."""


class WorkflowType(StrEnum):
    """The kind of a workflow: ``workflow_type`` on the wire, ``deployment_type`` in the database."""

    ETL = "ETL"
    TASK = "TASK"
    API = "API"
    DEFAULT = "DEFAULT"

    @property
    def is_api(self) -> bool:
        """Whether files arrive with a call, and results leave with its answer."""
        return self is WorkflowType.API


API_CONNECTOR = "api"
"""The connector of an API endpoint: files arrive with a call, results leave with its answer."""

API_CONNECTION_TYPES = frozenset({"API", "APPDEPLOYMENT"})
"""Connection types of an API endpoint."""


class WorkerType(StrEnum):
    """The seven kinds of worker. ``docfleet worker TYPE`` takes these words."""

    API_DEPLOYMENT = "api_deployment"
    GENERAL = "general"
    FILE_PROCESSING = "file_processing"
    CALLBACK = "callback"
    LOG_CONSUMER = "log_consumer"
    NOTIFICATION = "notification"
    SCHEDULER = "scheduler"


class QueueName(StrEnum):
    """Every queue of the fleet; the routing key equals the name."""

    API_DEPLOYMENTS = "celery_api_deployments"
    GENERAL = "celery"
    FILE_PROCESSING = "file_processing"
    API_FILE_PROCESSING = "api_file_processing"
    FILE_PROCESSING_CALLBACK = "file_processing_callback"
    API_FILE_PROCESSING_CALLBACK = "api_file_processing_callback"
    LOGS = "celery_log_task_queue"
    NOTIFICATIONS = "notifications"
    NOTIFICATIONS_WEBHOOK = "notifications_webhook"
    NOTIFICATIONS_EMAIL = "notifications_email"
    NOTIFICATIONS_SMS = "notifications_sms"
    NOTIFICATIONS_PRIORITY = "notifications_priority"
    SCHEDULER = "scheduler"


class TaskName(StrEnum):
    """Every task a Docfleet process sends; senders use the name, never the function."""

    ASYNC_EXECUTE_BIN = "async_execute_bin"
    ASYNC_EXECUTE_BIN_API = "async_execute_bin_api"
    ASYNC_EXECUTE_BIN_GENERAL = "async_execute_bin_general"
    PROCESS_FILE_BATCH = "process_file_batch"
    PROCESS_BATCH_CALLBACK = "process_batch_callback"
    PROCESS_BATCH_CALLBACK_API = "process_batch_callback_api"
    PROCESS_BATCH_ERRBACK = "process_batch_errback"
    LOGS_CONSUMER = "logs_consumer"
    SEND_WEBHOOK_NOTIFICATION = "send_webhook_notification"
    PROCESS_NOTIFICATION = "process_notification"
    SEND_BATCH_NOTIFICATIONS = "send_batch_notifications"
    PRIORITY_NOTIFICATION = "priority_notification"
    DISPATCH_NOTIFICATIONS = "scheduler.tasks.dispatch_notifications"
    EXECUTE_PIPELINE_TASK = "scheduler.tasks.execute_pipeline_task"
    EXECUTE_PIPELINE_TASK_V2 = "execute_pipeline_task_v2"
    SWEEP = "scheduler.tasks.sweep"
    TICK_SCHEDULES = "scheduler.tasks.tick"


STOP_EXECUTION = "stop_execution"
"""The remote-control command that announces to all workers an execution that is to stop."""
SLOT_WANTED = "slot_wanted"
"""The remote-control command that announces to all workers that an execution waits for a slot."""


class ExecutionQueues(NamedTuple):
    """Where the messages of one execution go: orchestration, batches, callback; and the callback's task."""

    orchestration: QueueName
    batches: QueueName
    callback: QueueName
    callback_task: TaskName


_API_QUEUES = ExecutionQueues(
    QueueName.API_DEPLOYMENTS,
    QueueName.API_FILE_PROCESSING,
    QueueName.API_FILE_PROCESSING_CALLBACK,
    TaskName.PROCESS_BATCH_CALLBACK_API,
)
_PIPELINE_QUEUES = ExecutionQueues(
    QueueName.GENERAL,
    QueueName.FILE_PROCESSING,
    QueueName.FILE_PROCESSING_CALLBACK,
    TaskName.PROCESS_BATCH_CALLBACK,
)


API_QUEUES = frozenset(queue for queue in _API_QUEUES if isinstance(queue, QueueName))
"""The queues of API calls."""


def execution_queues(*, is_api: bool) -> ExecutionQueues:
    """The queues of an API's executions, or those of every other execution."""
    return _API_QUEUES if is_api else _PIPELINE_QUEUES


WORKER_QUEUES: dict[WorkerType, tuple[QueueName, ...]] = {
    WorkerType.API_DEPLOYMENT: (_API_QUEUES.orchestration,),
    WorkerType.GENERAL: (_PIPELINE_QUEUES.orchestration,),
    WorkerType.FILE_PROCESSING: (_PIPELINE_QUEUES.batches, _API_QUEUES.batches),
    WorkerType.CALLBACK: (_PIPELINE_QUEUES.callback, _API_QUEUES.callback),
    WorkerType.LOG_CONSUMER: (QueueName.LOGS,),
    WorkerType.NOTIFICATION: (
        QueueName.NOTIFICATIONS,
        QueueName.NOTIFICATIONS_WEBHOOK,
        QueueName.NOTIFICATIONS_EMAIL,
        QueueName.NOTIFICATIONS_SMS,
        QueueName.NOTIFICATIONS_PRIORITY,
    ),
    WorkerType.SCHEDULER: (QueueName.SCHEDULER,),
}
"""The queues that each type of worker consumes. A task whose sender names no queue goes to the first one."""
