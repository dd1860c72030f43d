"""Statuses, review planning, ids, settings, storage paths: the rules everything else relies on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.core import errors
from docfleet.core.errors import ConfigurationError, DocfleetError, UnsafePath
from docfleet.core.ids import parse_id
from docfleet.core.review import file_decisions, plan_review
from docfleet.core.settings import read_settings
from docfleet.core.status import (
    ALLOWED,
    FINAL,
    ExecutionStatus,
    PipelineStatus,
    derive_execution_status,
    derive_pipeline_status,
    sources_of,
)
from docfleet.core.storage import file_folder, resolve_folder

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


@given(st.uuids(), st.integers(0, 500), st.integers(0, 100), st.integers(1, 40))
def test_review_is_planned_once_for_any_number_of_batches(
    execution: object, total: int, percentage: int, batches: int
) -> None:
    plan = plan_review(str(execution), total, percentage)
    assert plan == plan_review(str(execution), total, percentage)
    expected = 0 if not total or not percentage else max(1, int(total * percentage / 100))
    assert len(plan) == len(set(plan)) == expected
    assert all(1 <= number <= total for number in plan)
    decided: list[int] = []
    for batch in range(batches):
        numbers = [number for number in range(1, total + 1) if (number - 1) % batches == batch]
        decided += [n for n, yes in zip(numbers, file_decisions(numbers, plan), strict=True) if yes]
    assert sorted(decided) == plan


def test_review_draws_differ_between_executions() -> None:
    assert len({tuple(plan_review(f"execution-{n}", 1000, 5)) for n in range(20)}) == 20


class Example(msgspec.Struct, frozen=True, rename=str.upper):
    example_port: int
    example_name: str = "x"


def test_settings_name_the_variable_that_is_wrong() -> None:
    assert read_settings(Example, {"EXAMPLE_PORT": "80", "OTHER": "1"}) == Example(80)
    with pytest.raises(ConfigurationError, match="EXAMPLE_PORT is missing"):
        read_settings(Example, {"EXAMPLE_PORT": " "})
    with pytest.raises(ConfigurationError, match="EXAMPLE_PORT is malformed"):
        read_settings(Example, {"EXAMPLE_PORT": "eighty"})
    with pytest.raises(ConfigurationError, match=r"EXAMPLE_PROT.*did you mean EXAMPLE_PORT"):
        read_settings(Example, {"EXAMPLE_PORT": "1", "EXAMPLE_PROT": "2"}, prefixes=("EXAMPLE_",))


def test_error_codes_are_unique_and_come_back() -> None:
    tree = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DocfleetError)]
    assert all(kind.__doc__ for kind in tree)
    classes = [kind for kind in tree if "code" in vars(kind)]
    assert {kind.__name__ for kind in set(tree) - set(classes)} == {"CallRefused", "DispatchFailed"}
    codes = [kind.code for kind in classes]
    assert len(codes) == len(set(codes))
    for kind in classes:
        assert type(errors.error_from_code(kind.code, "m")) is kind


@pytest.mark.parametrize("bad", ["..", "", "a/b", "/etc", "a\0b", "x" * 200, ".hidden", "a\n"])
def test_storage_paths_are_made_of_ids_only(bad: str) -> None:
    with pytest.raises(UnsafePath):
        file_folder("org", "wf", "exec", bad)


def test_storage_paths_are_checked_again_by_the_receiver() -> None:
    assert resolve_folder(Path("/s"), "o/w/e/f.1") == Path("/s/o/w/e/f.1")
    with pytest.raises(UnsafePath):
        resolve_folder(Path("/s"), "o/../../etc")


def test_ids_are_uuids() -> None:
    assert parse_id("0AC5F56A-8B5C-4D8B-9E9C-000000000000") == "0ac5f56a-8b5c-4d8b-9e9c-000000000000"
    with pytest.raises(errors.InvalidInput, match="workflow id"):
        parse_id("../x", "workflow id")
