"""Chords whose results are in a database: the poll for the end of their headers ends with their execution.

Without a native chord, Celery polls with the task ``celery.chord_unlock``, and for ever when a header was lost. An
execution ends nevertheless (the sweep), and then nothing is left to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from celery.canvas import maybe_signature

from docfleet.core.batch_calls import FinalizeRequest
from docfleet.core.errors import DependencyError, DocfleetError
from docfleet.workers.shared.infrastructure.celery.lost_children import execution_of
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext

log = structlog.get_logger()

UNLOCK = "celery.chord_unlock"
GROWTH = 1.1
"""Each wait is longer than the one before by this factor: the callback is late by a tenth of the run at most."""
MAX_WAIT_SECONDS = 30.0
ASK_AFTER_POLLS = 5
"""A chord that is done by then costs the backend no call."""


def watch_chords(app: Celery) -> None:
    """Have ``celery.chord_unlock`` of this app end with the execution of its chord."""
    task = app.tasks[UNLOCK]
    if not isinstance(task.run, ChordPoll):
        task.run = ChordPoll(app, task, task.run)


class ChordPoll:
    """One poll, in the place of Celery's. ``task`` is Celery's own and ``poll`` its body."""

    def __init__(self, app: Celery, task: Any, poll: Callable[..., Any]) -> None:
        self._app = app
        self._task = task
        self._poll = poll

    def __call__(self, group_id: str, callback: Any, *args: Any, **kwargs: Any) -> Any:
        """Poll, unless the execution is final or gone, or the results of the headers have expired."""
        polls = self._task.request.retries
        reason = self._reason_to_end(callback, polls)
        if reason is None:
            kwargs["interval"] = self._wait(polls)
            return self._poll(group_id, callback, *args, **kwargs)
        log.info("chord.poll_ended", group_id=group_id, polls=polls, reason=reason)
        if reason == "final":
            # The callback deletes the working files. It needs no results: the rows have the facts.
            maybe_signature(callback, app=self._app).delay([])
        return None

    def _reason_to_end(self, callback: Any, polls: int) -> str | None:
        if self._waited(polls) > self._app.conf.result_expires:
            return "results_expired"
        named = execution_of(callback["task"], callback["args"], callback["kwargs"])
        if polls < ASK_AFTER_POLLS or named is None:
            return None
        organization_id, execution_id = named
        try:
            api = WorkerExecutionContext.bind(organization_id, execution_id)
            answer = api.executions(organization_id).finalize(execution_id, FinalizeRequest())
        except DependencyError:
            return None
        except DocfleetError as error:
            return error.code
        return "final" if answer.status.is_final else None

    def _wait(self, polls: int) -> float:
        """Seconds until the poll after ``polls`` others."""
        shortest = float(self._app.conf.result_chord_retry_interval)
        # The exponent is bounded: the power of a large one has no float.
        return max(shortest, min(shortest * GROWTH ** min(polls, 200), MAX_WAIT_SECONDS))

    def _waited(self, polls: int) -> float:
        return sum(map(self._wait, range(polls)))
