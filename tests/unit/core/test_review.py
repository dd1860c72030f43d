"""Planning of reviews: once for any number of batches, and drawn per execution."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docfleet.core.review import file_decisions, plan_review


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
