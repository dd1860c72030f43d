"""Tasks of the ``general`` worker: ETL and TASK executions, and runs of pipelines as the original's beat sends them.

The original's signature. An ETL run's files come from its source and its options from the execution's row, so
what an older sender adds to the message is accepted and not needed.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.general.execution import orchestrate
from docfleet.workers.shared.workflow.execution.pipeline_run import run_pipeline


@shared_task(name=TaskName.ASYNC_EXECUTE_BIN.value, ignore_result=True)
def async_execute_bin(
    schema_name: str,
    workflow_id: str,
    execution_id: str,
    hash_values_of_files: dict[str, Any] | None = None,
    scheduled: bool = False,
    pipeline_id: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Orchestrate one execution."""
    return orchestrate(schema_name, workflow_id, execution_id, scheduled=scheduled, pipeline_id=pipeline_id)


@shared_task(name=TaskName.ASYNC_EXECUTE_BIN_GENERAL.value, ignore_result=True)
def async_execute_bin_general(
    schema_name: str,
    workflow_id: str,
    execution_id: str,
    hash_values_of_files: dict[str, Any] | None = None,
    scheduled: bool = False,
    pipeline_id: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The same under its second name."""
    return orchestrate(schema_name, workflow_id, execution_id, scheduled=scheduled, pipeline_id=pipeline_id)


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
    """A run of a pipeline: schedules of the original name no queue, so they come here."""
    return run_pipeline(self, org_schema, pipepline_id)
