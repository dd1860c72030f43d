"""The tasks of the callback worker."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.workers.callback.tasks import process_batch_errback


@pytest.mark.parametrize("failure", [("task-id",), ("request", "error", "traceback")])
def test_the_errback_takes_what_celery_passes_old_and_new(
    failure: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("docfleet.workers.callback.tasks.complete", lambda *args: asked.append(args) or {})
    process_batch_errback.run(*failure, execution_id="e", organization_id="o")
    assert asked == [([], "e", "o")]
