"""``ContextTask``: the base of every task of every worker; all that cuts across tasks is here."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import structlog
from celery import Task
from celery.exceptions import TaskPredicate

from docfleet.core.errors import DocfleetError
from docfleet.core.log_events import LogStage
from docfleet.workers.shared.infrastructure.celery.arguments import arguments
from docfleet.workers.shared.infrastructure.context.state_store import StateStore
from docfleet.workers.shared.infrastructure.logging import workflow_log
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger

log = structlog.get_logger()


class ContextTask(Task):  # type: ignore[misc]
    """Binds a fresh ``StateStore`` and log context, times the task, and clears both whatever happens."""

    abstract = True
    Request = "docfleet.workers.shared.infrastructure.celery.lost_children:WatchedRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task's body. ``self.run``, not ``super().__call__``: that would push a second request."""
        started = time.monotonic()
        args, kwargs = _with_plain_ids(args), _with_plain_ids(kwargs)
        with StateStore.scope(), structlog.contextvars.bound_contextvars(task=self.name, task_id=self.request.id):
            try:
                result = self._run(args, kwargs)
            except DocfleetError as error:
                log.error("task.failed", code=error.code, error=error.message, seconds=_since(started))
                WorkflowLogger.error(LogStage.RUN, f"{self.name}: {error.message}")
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

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return self.run(*args, **kwargs)
        except TypeError:
            # Only now, because for a message that fits the check would cost as much as a small task.
            arguments(self.run, args, kwargs)
            raise


def _with_plain_ids(value: Any) -> Any:
    """``value`` with text in the place of UUID objects, which kombu makes of some ids of the original."""
    if isinstance(value, UUID):
        return str(value)
    if type(value) is dict:  # a signature is a dict, too, and stays what it is
        return {_with_plain_ids(key): _with_plain_ids(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_with_plain_ids, value))
    return value


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
