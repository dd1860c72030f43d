"""A run of a pipeline that a message asks for: somebody else's schedule, as the original's Celery beat keeps them."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from docfleet.core.errors import DependencyError, DocfleetError
from docfleet.core.ids import parse_id
from docfleet.core.storage import safe_segment
from docfleet.workers.shared.clients.api import internal_api
from docfleet.workers.shared.infrastructure.context.state_store import ORGANIZATION_ID, StateStore

log = structlog.get_logger()

RETRY_SECONDS = 30
MOST_RETRIES = 120
"""A backend that stays away for an hour loses the run."""


def run_pipeline(task: Any, organization_id: str, pipeline_id: str) -> dict[str, Any]:
    """Ask the backend to run it, once for this Celery ``task``, however often its message comes.

    What the backend refuses (a paused or unknown pipeline) is logged and not tried again. Raises ``InvalidInput`` for
    what are no ids, and Celery's ``Retry`` while the backend is away.
    """
    pipeline_id = parse_id(str(pipeline_id), "the pipeline")  # some of the original's messages carry a UUID
    safe_segment(organization_id)
    StateStore.set(ORGANIZATION_ID, organization_id)
    structlog.contextvars.bind_contextvars(organization_id=organization_id, pipeline_id=pipeline_id)
    try:
        run = internal_api().pipelines(organization_id).run(pipeline_id, key=f"task:{task.request.id}")
    except DependencyError as error:
        raise task.retry(exc=error, countdown=RETRY_SECONDS, max_retries=MOST_RETRIES) from error
    except DocfleetError as error:
        log.warning("pipeline.refused", code=error.code, error=error.message)
        return {"status": "refused", "code": error.code, "error": error.message}
    log.info("pipeline.started", execution_id=run.execution_id)
    found: dict[str, Any] = msgspec.to_builtins(run)
    return found
