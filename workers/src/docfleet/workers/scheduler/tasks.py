"""Tasks of the ``scheduler`` worker, which Celery beat inside it sends."""

from __future__ import annotations

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.scheduler.sweeping import ask_for_sweep


@shared_task(name=TaskName.SWEEP.value, ignore_result=True)
def sweep() -> None:
    """Have the backend recover what was lost. Two schedulers are harmless: one sweep runs at a time."""
    ask_for_sweep()
