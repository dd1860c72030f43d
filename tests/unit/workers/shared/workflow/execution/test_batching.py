"""Files are dealt out to batches in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docfleet.core.files import WorkerFileData
from docfleet.core.review import ManualReviewConfig
from docfleet.workers.shared.workflow.execution.batching import batch_count, batch_of, create_batches
from docfleet.workers.shared.workflow.execution.review import create_workflow_file_data_with_manual_review


@given(st.integers(0, 300), st.integers(0, 40))
def test_round_robin(files: int, parallel: int) -> None:
    count = batch_count(files, parallel)
    assert count == (min(max(parallel, 1), files))
    sizes = [0] * count
    for number in range(1, files + 1):
        sizes[batch_of(number, count)] += 1
    assert sum(sizes) == files
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert all(sizes)


def test_seven_files_in_three_batches() -> None:
    batches = [[n - 1 for n in range(1, 8) if batch_of(n, 3) == b] for b in range(3)]
    assert batches == [[0, 3, 6], [1, 4], [2, 5]]


def test_a_message_does_not_grow_with_the_files() -> None:
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    batches = create_batches(data, 3, 1_000_000)
    assert [batch.batch_index for batch in batches] == [0, 1, 2]
    assert all(batch.file_data is data for batch in batches)


@given(st.integers(1, 200), st.integers(0, 100), st.integers(1, 20))
def test_every_batch_looks_up_what_was_decided_once_for_all(total: int, percentage: int, batches: int) -> None:
    review = ManualReviewConfig(review_required=True, review_percentage=percentage)
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o", manual_review_config=review)
    decided = create_workflow_file_data_with_manual_review(data, total)
    assert decided.q_file_no_list == decided.manual_review_config.q_file_no_list
    selected = []
    for batch in create_batches(decided, batches, total):
        numbers = range(batch.batch_index + 1, total + 1, batches)
        decisions = batch.file_data.manual_review_config.file_decisions
        assert len(decisions) == (len(numbers) if decided.q_file_no_list else 0)
        selected += [number for number, yes in zip(numbers, decisions, strict=False) if yes]
    assert sorted(selected) == decided.q_file_no_list
