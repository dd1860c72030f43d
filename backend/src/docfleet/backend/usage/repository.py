"""Reads and writes of usage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Insert, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from docfleet.backend.platform.db import db_now, upsert, utc_today
from docfleet.backend.tables.usage import daily_usage, page_usage, usage
from docfleet.core.results import FileOutcome

TOKENS = ("embedding_tokens", "prompt_tokens", "completion_tokens", "total_tokens")
MAX_PAGES = 2**31 - 1
"""The column's maximum. A tool that counts more is wrong, but the report must not fail for it."""


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0


_INSERT_USAGE = insert(usage).values(created_at=db_now())


def _add_to_day(dialect: Any) -> Insert:
    new = dialect.insert(daily_usage).values(day=utc_today())
    added = {name: daily_usage.c[name] + new.excluded[name] for name in ("files", "pages")}
    return new.on_conflict_do_update(index_elements=["organization_id", "day"], set_=added)  # type: ignore[no-any-return]


_ADD_TO_DAY = {"postgresql": _add_to_day(postgresql), "sqlite": _add_to_day(sqlite)}


def usage_row(organization_id: str, run_id: str, record: dict[str, Any]) -> dict[str, Any]:
    """A row from a record as it was sent; an invalid number counts as 0."""
    return {
        "organization_id": organization_id,
        "run_id": run_id,
        **{name: min(int(_number(record.get(name))), 2**62) for name in TOKENS},
        "cost_in_dollars": float(_number(record.get("cost_in_dollars"))),
        "details": record,
    }


def record(connection: Connection, organization_id: str, outcomes: list[FileOutcome]) -> int:
    """Write the usage of a report's files, in the transaction that ends them. Returns the number of pages that were not
    written before."""
    used = [outcome for outcome in outcomes if outcome.usage]
    paged = [outcome for outcome in outcomes if outcome.pages > 0]
    if used:
        rows = [usage_row(organization_id, outcome.file_execution_id, outcome.usage) for outcome in used]
        connection.execute(_INSERT_USAGE, rows)
    if not paged:
        return 0
    statement = upsert(connection, page_usage).values(created_at=db_now())
    statement = statement.on_conflict_do_nothing(index_elements=["run_id"]).returning(page_usage.c.pages_processed)
    rows = [
        {
            "run_id": outcome.file_execution_id,
            "organization_id": organization_id,
            "pages_processed": min(outcome.pages, MAX_PAGES),
        }
        for outcome in paged
    ]
    return sum(connection.scalars(statement, rows))


def count(connection: Connection, organization_id: str, *, files: int = 0, pages: int = 0) -> None:
    """Add to what the organization used today.

    The last write of its transaction: all executions of the organization share this row, and its lock is held until the
    commit.
    """
    if files or pages:
        added = {"organization_id": organization_id, "files": files, "pages": pages}
        connection.execute(_ADD_TO_DAY[connection.dialect.name], added)


def add(connection: Connection, organization_id: str, records: list[dict[str, Any]]) -> None:
    """Write usage records as they were sent, each under its ``run_id``."""
    rows = [usage_row(organization_id, str(record.get("run_id") or "")[:100], record) for record in records]
    connection.execute(_INSERT_USAGE, rows)


def totals(connection: Connection, organization_id: str, run_id: str) -> dict[str, Any]:
    """Tokens and cost of one file execution, summed."""
    names = (*TOKENS, "cost_in_dollars")
    row = connection.execute(
        select(*(func.coalesce(func.sum(usage.c[name]), 0).label(name) for name in names)).where(
            usage.c.organization_id == organization_id, usage.c.run_id == run_id
        )
    ).one()
    return {name: float(value) if name == "cost_in_dollars" else int(value) for name, value in row._mapping.items()}


def pages(connection: Connection, organization_id: str, run_id: str) -> int:
    """Pages of one file execution."""
    return (
        connection.scalar(
            select(page_usage.c.pages_processed).where(
                page_usage.c.run_id == run_id, page_usage.c.organization_id == organization_id
            )
        )
        or 0
    )
