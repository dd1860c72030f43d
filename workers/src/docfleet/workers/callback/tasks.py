"""Tasks of the ``callback`` worker. All of them end in the backend's finalize, which is safe to repeat.

Keywords that a newer sender adds are ignored, like unknown fields.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task, signals

from docfleet.core.names import TaskName
from docfleet.workers.callback.chords import watch_chords
from docfleet.workers.callback.completion import complete


@shared_task(name=TaskName.PROCESS_BATCH_CALLBACK.value, ignore_result=True)
def process_batch_callback(
    results: Any, *, execution_id: str, organization_id: str, pipeline_id: str | None = None, **_: Any
) -> dict[str, Any]:
    """All batches of an ETL or TASK execution have ended."""
    return complete(results, execution_id, organization_id)


@shared_task(name=TaskName.PROCESS_BATCH_CALLBACK_API.value, ignore_result=True)
def process_batch_callback_api(
    results: Any, *, execution_id: str, organization_id: str, pipeline_id: str | None = None, **_: Any
) -> dict[str, Any]:
    """All batches of an API execution have ended."""
    return complete(results, execution_id, organization_id)


@shared_task(name=TaskName.PROCESS_BATCH_ERRBACK.value, ignore_result=True)
def process_batch_errback(
    *failure: Any, execution_id: str, organization_id: str, pipeline_id: str | None = None, **_: Any
) -> dict[str, Any]:
    """A batch was lost to the infrastructure. ``failure`` is ``(task id,)`` or ``(request, error, traceback)``, which
    depends on whether Celery has the task registered. It is ignored: the rows have the facts."""
    return complete([], execution_id, organization_id)


@signals.celeryd_init.connect(weak=False)
def _watch_chords(instance: Any, **_: Any) -> None:
    """The worker starts: its pool is not forked yet."""
    watch_chords(instance.app)
