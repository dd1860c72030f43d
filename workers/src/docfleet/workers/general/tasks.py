"""Tasks of the ``general`` worker: ETL and TASK executions, and runs of pipelines as the original's beat sends them."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.general.execution import orchestrate
from docfleet.workers.shared.workflow.execution.execution_message import ExecutionMessage
from docfleet.workers.shared.workflow.execution.pipeline_run import run_scheduled_pipeline


def execute(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Orchestrate one execution; the arguments are those of ``ExecutionMessage.of``."""
    return orchestrate(ExecutionMessage.of(*args, **kwargs))


async_execute_bin = shared_task(execute, name=TaskName.ASYNC_EXECUTE_BIN.value, ignore_result=True)
async_execute_bin_general = shared_task(execute, name=TaskName.ASYNC_EXECUTE_BIN_GENERAL.value, ignore_result=True)


@shared_task(name=TaskName.EXECUTE_PIPELINE_TASK.value, bind=True, ignore_result=True)
def execute_pipeline_task(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Run a pipeline. Schedules of the original name no queue, so their messages arrive here."""
    return run_scheduled_pipeline(self, *args, **kwargs)
