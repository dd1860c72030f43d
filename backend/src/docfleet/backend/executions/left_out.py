"""What an execution does not process, by ``SkipReason``: the number of entries, and the paths of the first few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, update

from docfleet.backend.platform.db import Record, clean
from docfleet.backend.tables.executions import executions
from docfleet.core.batch_calls import MAX_EXAMPLES, LeftOut

MAX_PATH_LENGTH = 500


def note(connection: Connection, execution: Record, left_out: LeftOut) -> None:
    """Write what a listing left out. A repeated listing replaces the numbers of the one before."""
    if not left_out.counts:
        return
    connection.execute(
        update(executions)
        .where(executions.c.id == execution.id)
        .values(
            skipped={**execution.skipped, **left_out.counts},
            skipped_examples={**(execution.skipped_examples or {}), **with_examples({}, left_out.examples)},
        )
    )


def with_examples(before: Mapping[str, list[str]] | None, more: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """``before`` with the paths of ``more``: at most ``MAX_EXAMPLES`` of each reason, the first ones."""
    merged = dict(before or {})
    for reason, paths in more.items():
        short = [(clean(path) or "")[:MAX_PATH_LENGTH] for path in paths]
        merged[reason] = list(dict.fromkeys([*merged.get(reason, []), *short]))[:MAX_EXAMPLES]
    return merged
