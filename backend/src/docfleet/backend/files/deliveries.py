"""The ledger of deliveries: the digest of what each file's destination received."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, bindparam, insert

from docfleet.backend.platform.db import Record, db_now
from docfleet.backend.tables.files import deliveries
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Built once: building the statement costs several times its execution.
_INSERT: Any = insert(deliveries).values(
    file_execution_id=bindparam("b_file"),
    execution_id=bindparam("b_execution"),
    digest=bindparam("b_digest"),
    delivered_at=db_now(),
)


def record(connection: Connection, execution: Record, outcomes: list[FileOutcome]) -> None:
    """Record the deliveries of files that just became COMPLETED. Others were not delivered."""
    note(
        connection,
        execution.id,
        {
            outcome.file_execution_id: outcome.digest
            for outcome in outcomes
            if outcome.status is ExecutionStatus.COMPLETED and outcome.digest and _DIGEST.fullmatch(outcome.digest)
        },
    )


def note(connection: Connection, execution_id: str, digests: dict[str, str]) -> None:
    """Write digests by file execution id; each file is delivered once."""
    if digests:
        rows = [{"b_file": key, "b_execution": execution_id, "b_digest": digest} for key, digest in digests.items()]
        connection.execute(_INSERT, rows)
