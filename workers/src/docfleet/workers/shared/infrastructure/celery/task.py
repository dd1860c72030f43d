"""``ContextTask``: the base of every task of every worker; all that cuts across tasks is here."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import Task
from celery.exceptions import TaskPredicate

from docfleet.core.errors import DocfleetError
from docfleet.workers.shared.infrastructure.context.state_store import StateStore
from docfleet.workers.shared.infrastructure.logging import workflow_log

log = structlog.get_logger()


class ContextTask(Task):  # type: ignore[misc]
    """Binds a fresh ``StateStore`` and log context, times the task, and clears both whatever happens."""

    abstract = True
    Request = "docfleet.workers.shared.infrastructure.celery.lost_children:WatchedRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task's body. ``self.run``, not ``super().__call__``: that would push a second request."""
        started = time.monotonic()
        with StateStore.scope(), structlog.contextvars.bound_contextvars(task=self.name, task_id=self.request.id):
            try:
                result = self.run(*args, **kwargs)
            except DocfleetError as error:
                log.error("task.failed", code=error.code, error=error.message, seconds=_since(started))
                raise
            except TaskPredicate:  # a retry, as a waiting chord does each second, is no failure
                raise
            except Exception:
                log.exception("task.crashed", seconds=_since(started))
                raise
            else:
                log.info("task.finished", seconds=_since(started))
                return result
            finally:
                workflow_log.flush()
                structlog.contextvars.clear_contextvars()


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
