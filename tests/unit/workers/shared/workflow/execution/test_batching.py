"""Files are dealt out to batches in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docfleet.core.files import WorkerFileData
from docfleet.workers.shared.workflow.execution.batching import batch_count, batch_of, create_batches


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
    assert [batch.batch_index for batch in create_batches(data, 3)] == [0, 1, 2]
