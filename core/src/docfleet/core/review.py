"""Manual review: the files of a run that a person reviews, drawn once per run.

The selection depends on the execution id, the number of files and the percentage only, so it is the same for
any number of batches and workers, and the same again after a crash.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec


class ManualReviewConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The review settings of a workflow. ``review_percentage`` is 0…100; ``rule_logic`` is AND or OR."""

    review_required: bool = False
    review_percentage: int = 0
    rule_logic: str | None = None
    rule_json: Any = None
    file_decisions: list[bool] = []
    q_file_no_list: list[int] = []

    def __getitem__(self, name: str) -> Any:
        """A setting in the specification's notation."""
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


def plan_review(execution_id: str, total_files: int, percentage: int) -> list[int]:
    """The global file numbers (1…total, ascending) that go to review: ``q_file_no_list``.

    ``max(1, int(total * percentage / 100))`` numbers without replacement; none when either is zero or less
    (the formula of Unstract at 6b916eac).
    """
    if total_files <= 0 or percentage <= 0:
        return []
    wanted = min(total_files, max(1, int(total_files * percentage / 100)))
    drawn = random.Random(f"review:{execution_id}").sample(range(1, total_files + 1), wanted)
    return sorted(drawn)


def file_decisions(file_numbers: list[int], q_file_no_list: list[int]) -> list[bool]:
    """For each global number of a batch: whether it is selected. A batch looks its files up and never draws."""
    selected = frozenset(q_file_no_list)
    return [number in selected for number in file_numbers]
