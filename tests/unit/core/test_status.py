"""Statuses follow from rows, and final ones absorb what comes later."""

from __future__ import annotations

import pytest

from docfleet.core.status import (
    ALLOWED,
    FINAL,
    ExecutionStatus,
    PipelineStatus,
    derive_execution_status,
    derive_pipeline_status,
    sources_of,
)

S = ExecutionStatus


@pytest.mark.parametrize(
    ("total", "successful", "failed", "stopped", "expected"),
    [
        (0, 0, 0, 0, S.COMPLETED),
        (3, 0, 0, 0, S.ERROR),
        (3, 0, 3, 0, S.ERROR),
        (3, 2, 1, 0, S.COMPLETED),
        (3, 3, 0, 0, S.COMPLETED),
        (2, 0, 0, 2, S.STOPPED),
        (3, 1, 0, 2, S.COMPLETED),
        (3, 0, 1, 2, S.ERROR),
    ],
)
def test_execution_status_follows_from_the_rows(
    total: int, successful: int, failed: int, stopped: int, expected: S
) -> None:
    status = derive_execution_status(total=total, successful=successful, failed=failed, stopped=stopped)
    assert status is expected


def test_terminal_statuses_absorb() -> None:
    assert all(not ALLOWED[status] for status in FINAL)
    assert set(sources_of(S.COMPLETED)) == {S.PENDING, S.EXECUTING}
    assert sources_of(S.PENDING) == ()


def test_partial_success_is_seen_on_the_pipeline() -> None:
    assert derive_pipeline_status(S.COMPLETED, failed=1) is PipelineStatus.PARTIAL_SUCCESS
    assert derive_pipeline_status(S.COMPLETED, failed=0) is PipelineStatus.SUCCESS
    assert derive_pipeline_status(S.STOPPED, failed=0) is PipelineStatus.FAILURE
