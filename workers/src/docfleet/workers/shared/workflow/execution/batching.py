"""Batches: their number, and the assignment of files to them."""

from __future__ import annotations

from docfleet.core.files import FileBatchData, WorkerFileData


def batch_count(files: int, parallel: int) -> int:
    """How many batches: one per parallel slot, never more than files, none for no files."""
    return min(max(parallel, 1), files)


def batch_of(file_number: int, batches: int) -> int:
    """Round robin: the batch of global file ``file_number`` (1…N)."""
    return (file_number - 1) % batches


def create_batches(file_data: WorkerFileData, batches: int) -> list[FileBatchData]:
    """One message per batch; each names its slice, so its size does not depend on the number of files."""
    return [FileBatchData(file_data=file_data, batch_index=index, batch_count=batches) for index in range(batches)]
