"""``ContextTask``: nothing of one task is seen by the next."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery
from celery.exceptions import Retry

from docfleet.core.errors import InvalidInput
from docfleet.workers.shared.infrastructure.celery.task import ContextTask
from docfleet.workers.shared.infrastructure.context.state_store import ORGANIZATION_ID, StateStore


@pytest.fixture
def app() -> Celery:
    """Its tasks are not ``shared``: an app that a later test makes would have them too."""
    app = Celery("test", task_cls=ContextTask, set_as_current=False)
    app.conf.update(task_always_eager=True, broker_url="memory://")
    return app


@pytest.mark.parametrize(
    "ending", [None, InvalidInput("bad"), RuntimeError("bug"), SoftTimeLimitExceeded(), KeyboardInterrupt()]
)
def test_nothing_survives_a_task_however_it_ends(app: Celery, ending: BaseException | None) -> None:
    seen: list[Any] = []

    @app.task(shared=False)
    def leak() -> None:
        StateStore.set(ORGANIZATION_ID, "org-a")
        structlog.contextvars.bind_contextvars(organization_id="org-a")
        seen.append(StateStore.snapshot())
        if ending is not None:
            raise ending

    if ending is None:
        leak()
    else:
        with pytest.raises(type(ending)):
            leak()
    assert seen == [{ORGANIZATION_ID: "org-a"}]
    assert StateStore.snapshot() == {}
    assert structlog.contextvars.get_contextvars() == {}


def test_a_retry_is_no_crash(app: Celery) -> None:
    """A chord that waits for its headers retries each second."""

    @app.task(shared=False)
    def wait() -> None:
        raise Retry()

    with structlog.testing.capture_logs() as logs, pytest.raises(Retry):
        wait()
    assert [line for line in logs if line["log_level"] == "error"] == []


def test_what_was_set_before_a_task_is_not_seen_in_it(app: Celery) -> None:
    @app.task(shared=False)
    def look() -> Any:
        return StateStore.get(ORGANIZATION_ID)

    StateStore.set(ORGANIZATION_ID, "org-of-somebody-else")
    assert look() is None
    assert StateStore.snapshot() == {}
