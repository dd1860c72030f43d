"""Results of batches: their sum, and receipts of bounded size."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from docfleet.core.results import BatchExecutionResult, FileOutcome, aggregate
from docfleet.core.status import ExecutionStatus


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5), st.randoms())
def test_aggregation_does_not_depend_on_order(counts: list[tuple[int, int]], random: Any) -> None:
    batches = [
        BatchExecutionResult(total_files=ok + bad, successful_files=ok, failed_files=bad).to_dict()
        for ok, bad in counts
    ]
    shuffled = list(batches)
    random.shuffle(shuffled)
    assert aggregate(shuffled) == aggregate(batches)
    assert aggregate(batches).total_files == sum(ok + bad for ok, bad in counts)


def test_a_result_that_is_none_is_an_error_not_silence() -> None:
    summed = aggregate([None, {"total_files": 2, "successful_files": 2}, "x"])
    assert (summed.total_files, summed.unreadable_batches, len(summed.errors)) == (2, 2, 2)


def test_a_receipt_names_few_failures_and_counts_all() -> None:
    receipt = BatchExecutionResult()
    for number in range(1000):
        outcome = FileOutcome(file_execution_id=str(number), attempt=1, status=ExecutionStatus.ERROR, error="e" * 50)
        receipt.add(outcome, f"{number}.pdf")
    assert receipt.failed_files == 1000
    assert len(json.dumps(receipt.to_dict())) < 4000
