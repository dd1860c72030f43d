"""Tasks of the ``api_deployment`` worker: executions whose files came with a call.

The queue decides which worker runs it: ``general`` registers the same task name for ETL and TASK executions.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.api_deployment.execution import orchestrate
from docfleet.workers.shared.workflow.execution.execution_message import ExecutionMessage


def execute(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Orchestrate one execution; the arguments are those of ``ExecutionMessage.of``."""
    return orchestrate(ExecutionMessage.of(*args, **kwargs))


async_execute_bin = shared_task(execute, name=TaskName.ASYNC_EXECUTE_BIN.value, ignore_result=True)
async_execute_bin_api = shared_task(execute, name=TaskName.ASYNC_EXECUTE_BIN_API.value, ignore_result=True)
