"""A batch of another orchestrator names files that have no rows yet: they are written before anything else happens.

The original's batch has ``[display name, FileHashData]`` where ours has the id of a row, or only a slice.
"""

from __future__ import annotations

import itertools
from collections import Counter

import msgspec
import structlog

from docfleet.core.batch_calls import AddRequest
from docfleet.core.errors import AlreadyFinal, InvalidInput, ReviewUnavailable
from docfleet.core.files import FileBatchData, FileHashData
from docfleet.core.ids import is_id
from docfleet.core.log_events import LogStage
from docfleet.workers.shared.clients.file_client import FileClient
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger

log = structlog.get_logger()

FILES_PER_BATCH = 500
"""Files of one batch. A message with more becomes several batches."""


class Additions(msgspec.Struct):
    """The same files as batches with the ids of rows; none when all of them were ``skipped`` (by ``SkipReason``)."""

    batches: list[FileBatchData]
    skipped: dict[str, int]


def add_files(client: FileClient, batch: FileBatchData) -> Additions:
    """Write the rows. Raises ``InvalidInput``, ``AlreadyFinal`` or ``ReviewUnavailable`` for a batch that cannot be
    processed: then nothing is written."""
    files = batch.without_rows
    _refuse(batch, files)
    named = {key: file for key, file in batch.files if is_id(key)}
    skipped: Counter[str] = Counter()
    for page in itertools.batched(files, FILES_PER_BATCH):
        request = AddRequest(workflow_id=batch.file_data.workflow_id, files=list(page))
        answer = client.add(batch.file_data.execution_id, request)
        if answer.stop:
            raise AlreadyFinal(
                f"the execution is {answer.status.value} or being stopped: it takes no more files; "
                "send them in a new execution"
            )
        skipped.update(answer.skipped)
        rows = zip(answer.file_execution_ids, page, strict=True)
        named |= {file_execution_id: file for file_execution_id, file in rows if file_execution_id}
    log.info("batch.files_added", files=len(files), rows=len(named), skipped=dict(skipped))
    text = f"{len(files)} files came with a batch of another orchestrator"
    left_out = ", ".join(f"{number} {reason}" for reason, number in skipped.items())
    WorkflowLogger.info(LogStage.SOURCE, text + (f"; left out: {left_out}" if left_out else ""))
    parts = [
        msgspec.structs.replace(batch, files=list(part), batch_index=0, batch_count=1)
        for part in itertools.batched(named.items(), FILES_PER_BATCH)
    ]
    return Additions(parts, dict(skipped))


def _refuse(batch: FileBatchData, files: list[FileHashData]) -> None:
    rejections = [file.rejection for file in files if file.rejection]
    if len(rejections) == len(batch.files):
        raise InvalidInput(f"no entry of `files` is a file: {rejections[0]}")
    data = batch.file_data
    review = data.manual_review_config
    queue = data.hitl_queue_name or data.hitl_packet_id or data.is_manualreview_required
    if review.review_required or review.review_percentage > 0 or queue or any(map(_is_for_review, files)):
        raise ReviewUnavailable("the batch requests manual review, but no review queue is configured")


def _is_for_review(file: FileHashData) -> bool:
    return bool(file.is_manualreview_required or file.hitl_queue_name or file.hitl_packet_id)
