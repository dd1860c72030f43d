"""Tasks of the ``scheduler`` worker: the periodic tasks of its Celery beat, and the original's runs of pipelines."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.scheduler.ticks import tick_backend
from docfleet.workers.shared.workflow.execution.pipeline_run import run_pipeline, run_scheduled_pipeline


@shared_task(name=TaskName.SWEEP.value, ignore_result=True)
def sweep() -> None:
    """Have the backend recover what was lost. Two schedulers are harmless: one sweep runs at a time."""
    tick_backend("v1/sweep/")


@shared_task(name=TaskName.TICK_SCHEDULES.value, ignore_result=True)
def tick() -> None:
    """Have the backend start the runs that are due. Two schedulers are harmless: each run has its row."""
    tick_backend("v1/schedules/tick/")


@shared_task(name=TaskName.DISPATCH_NOTIFICATIONS.value, ignore_result=True)
def dispatch_notifications() -> None:
    """Have the backend send the notifications that are due. Two schedulers are harmless: each message has its row."""
    tick_backend("v1/notifications/dispatch/")


@shared_task(name=TaskName.EXECUTE_PIPELINE_TASK.value, bind=True, ignore_result=True)
def execute_pipeline_task(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Run a pipeline, with the original's arguments."""
    return run_scheduled_pipeline(self, *args, **kwargs)


@shared_task(name=TaskName.EXECUTE_PIPELINE_TASK_V2.value, bind=True, ignore_result=True)
def execute_pipeline_task_v2(
    self: Any, organization_id: str, pipeline_id: str, pipeline_name: str = ""
) -> dict[str, Any]:
    """Run a pipeline, with the arguments that are needed."""
    return run_pipeline(self, organization_id, pipeline_id)
