"""Tasks of the ``api_deployment`` worker: executions whose files came with a call.

The queue decides that it is an API's: the ``general`` worker registers the same task name for ETL and TASK runs.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.api_deployment.execution import orchestrate


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
    """Orchestrate one execution. The original's sender passes ids as UUID objects; both forms are taken."""
    return orchestrate(str(schema_name), str(workflow_id), str(execution_id), hash_values_of_files or {})


@shared_task(name=TaskName.ASYNC_EXECUTE_BIN_API.value, ignore_result=True)
def async_execute_bin_api(
    schema_name: str,
    workflow_id: str,
    execution_id: str,
    hash_values_of_files: dict[str, Any] | None = None,
    scheduled: bool = False,
    pipeline_id: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The same under its second name."""
    return orchestrate(str(schema_name), str(workflow_id), str(execution_id), hash_values_of_files or {})
