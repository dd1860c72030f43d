"""Runs of pipelines that messages of the original's Celery beat request."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from docfleet.core.errors import DependencyError, DocfleetError
from docfleet.core.ids import check_organization, parse_id
from docfleet.workers.shared.clients.api import internal_api
from docfleet.workers.shared.infrastructure.celery.arguments import arguments
from docfleet.workers.shared.infrastructure.context.state_store import ORGANIZATION_ID, StateStore

log = structlog.get_logger()

RETRY_SECONDS = 30
MAX_RETRIES = 120
"""Retries for about an hour; a backend that is unavailable for longer loses the run."""


def run_pipeline(task: Any, organization_id: Any, pipeline_id: Any) -> dict[str, Any]:
    """Have the backend run it, once per Celery ``task``, however often its message comes.

    What the backend refuses (a paused or unknown pipeline) is logged and not tried again. Raises ``InvalidInput`` for
    malformed ids, and Celery's ``Retry`` while the backend is unavailable.
    """
    pipeline_id = parse_id(pipeline_id, "the pipeline")
    check_organization(organization_id)
    StateStore.set(ORGANIZATION_ID, organization_id)
    structlog.contextvars.bind_contextvars(organization_id=organization_id, pipeline_id=pipeline_id)
    try:
        run = internal_api().pipelines(organization_id).run(pipeline_id, key=f"task:{task.request.id}")
    except DependencyError as error:
        raise task.retry(exc=error, countdown=RETRY_SECONDS, max_retries=MAX_RETRIES) from error
    except DocfleetError as error:
        log.warning("pipeline.refused", code=error.code, error=error.message)
        return {"status": "refused", "code": error.code, "error": error.message}
    log.info("pipeline.started", execution_id=run.execution_id)
    started: dict[str, Any] = msgspec.to_builtins(run)
    return started


def run_scheduled_pipeline(task: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """``run_pipeline`` with the arguments of the original's ``execute_pipeline_task``, of which only organization and
    pipeline are used."""
    given = arguments(_signature, args, kwargs)
    return run_pipeline(task, given["org_schema"], given.get("pipepline_id"))


def _signature(
    workflow_id: Any,
    org_schema: Any,
    execution_action: Any = None,
    execution_id: Any = None,
    pipepline_id: Any = None,
    with_logs: Any = False,
    name: Any = "",
) -> None:
    """The original's signature, the misspelt name included."""
