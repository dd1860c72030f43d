"""Batches: their number, and the assignment of files to them."""

from __future__ import annotations

import msgspec

from docfleet.core.files import FileBatchData, WorkerFileData
from docfleet.core.review import file_decisions


def batch_count(files: int, parallel: int) -> int:
    """How many batches: one per parallel slot, never more than files, none for no files."""
    return min(max(parallel, 1), files)


def batch_of(file_number: int, batches: int) -> int:
    """Round robin: the batch of global file ``file_number`` (1…N)."""
    return (file_number - 1) % batches


def create_batches(file_data: WorkerFileData, batches: int, total_files: int) -> list[FileBatchData]:
    """One message per batch; each names its slice, so its size does not depend on the number of files.

    Where files are to be reviewed, ``file_decisions`` of a batch are looked up in ``q_file_no_list``, in the order of
    the slice.
    """
    decided = [_decided(file_data, index, batches, total_files) for index in range(batches)]
    return [FileBatchData(file_data=data, batch_index=index, batch_count=batches) for index, data in enumerate(decided)]


def _decided(file_data: WorkerFileData, index: int, batches: int, total_files: int) -> WorkerFileData:
    if not file_data.q_file_no_list:
        return file_data
    numbers = list(range(index + 1, total_files + 1, batches))
    review = msgspec.structs.replace(
        file_data.manual_review_config, file_decisions=file_decisions(numbers, file_data.q_file_no_list)
    )
    return msgspec.structs.replace(file_data, manual_review_config=review)
