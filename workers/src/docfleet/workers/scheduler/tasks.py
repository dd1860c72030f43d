"""Tasks of the ``scheduler`` worker: what Celery beat inside it sends, and the original's runs of pipelines."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.scheduler.asking import ask
from docfleet.workers.shared.workflow.execution.pipeline_run import run_pipeline


@shared_task(name=TaskName.SWEEP.value, ignore_result=True)
def sweep() -> None:
    """Have the backend recover what was lost. Two schedulers are harmless: one sweep runs at a time."""
    ask("v1/sweep/")


@shared_task(name=TaskName.TICK_SCHEDULES.value, ignore_result=True)
def tick() -> None:
    """Have the backend begin the runs that are due. Two schedulers are harmless: each run has its row."""
    ask("v1/schedules/tick/")


@shared_task(name=TaskName.DISPATCH_NOTIFICATIONS.value, ignore_result=True)
def dispatch_notifications() -> None:
    """Have the backend send the notifications that are due. Two schedulers are harmless: each message has its row."""
    ask("v1/notifications/dispatch/")


@shared_task(name=TaskName.EXECUTE_PIPELINE_TASK.value, bind=True, ignore_result=True)
def execute_pipeline_task(
    self: Any,
    workflow_id: str,
    org_schema: str,
    execution_action: str | None = None,
    execution_id: str | None = None,
    pipepline_id: str = "",
    with_logs: bool = False,
    name: str = "",
) -> dict[str, Any]:
    """A run of a pipeline, in the original's words (the misspelt one too); organization and pipeline say it all."""
    return run_pipeline(self, org_schema, pipepline_id)


@shared_task(name=TaskName.EXECUTE_PIPELINE_TASK_V2.value, bind=True, ignore_result=True)
def execute_pipeline_task_v2(
    self: Any, organization_id: str, pipeline_id: str, pipeline_name: str = ""
) -> dict[str, Any]:
    """The same without the words that nobody needs."""
    return run_pipeline(self, organization_id, pipeline_id)
