"""Manual review: the files that a person reviews, decided once for all batches of an execution."""

from __future__ import annotations

import msgspec

from docfleet.core.files import WorkerFileData
from docfleet.core.review import plan_review


def create_workflow_file_data_with_manual_review(worker_file_data: WorkerFileData, total_files: int) -> WorkerFileData:
    """``worker_file_data`` with ``q_file_no_list``: the numbers (1…``total_files``) of the files to review.

    They are drawn from the execution's id and the percentage of ``manual_review_config``: every call gives the same.
    """
    config = worker_file_data.manual_review_config
    numbers = plan_review(worker_file_data.execution_id, total_files, config.review_percentage)
    return msgspec.structs.replace(
        worker_file_data,
        q_file_no_list=numbers,
        manual_review_config=msgspec.structs.replace(config, q_file_no_list=numbers),
    )
