"""Tasks of the ``file_processing`` worker."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from docfleet.core.names import TaskName
from docfleet.workers.file_processing.batches import process


@shared_task(name=TaskName.PROCESS_FILE_BATCH.value, bind=True, max_retries=0)
def process_file_batch(task: Task, file_batch_data: Any = None, *_: Any, **__: Any) -> dict[str, Any]:
    """Process one batch (``FileBatchData``) and return its ``BatchExecutionResult``. Never raises, whatever the message
    holds: a failed header would keep the chord from calling its callback."""
    hostname = task.request.hostname or "worker"
    return process(task.app, file_batch_data, hostname=hostname, in_chord=bool(task.request.chord)).to_dict()
