"""Reads and writes of usage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select

from docfleet.backend.platform.db import db_now, upsert
from docfleet.backend.tables.usage import page_usage, usage
from docfleet.core.results import FileOutcome

TOKENS = ("embedding_tokens", "prompt_tokens", "completion_tokens", "total_tokens")
MAX_PAGES = 2**31 - 1
"""The column's maximum. A tool that counts more is wrong, but the report must not fail for it."""


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0


def usage_row(organization_id: str, run_id: str, record: dict[str, Any], now: float | None) -> dict[str, Any]:
    """A row from a record as it was sent; an invalid number counts as 0."""
    return {
        "organization_id": organization_id,
        "run_id": run_id,
        **{name: min(int(_number(record.get(name))), 2**62) for name in TOKENS},
        "cost_in_dollars": float(_number(record.get("cost_in_dollars"))),
        "details": record,
        "created_at": now,
    }


def record(connection: Connection, organization_id: str, outcomes: list[FileOutcome]) -> None:
    """Write the usage of a report's files; called once per file, in the transaction that ends it."""
    used = [outcome for outcome in outcomes if outcome.usage]
    paged = [outcome for outcome in outcomes if outcome.pages > 0]
    if not used and not paged:
        return
    now = connection.scalar(select(db_now()))
    if used:
        rows = [usage_row(organization_id, outcome.file_execution_id, outcome.usage, now) for outcome in used]
        connection.execute(insert(usage), rows)
    if paged:
        statement = upsert(connection, page_usage).on_conflict_do_nothing(index_elements=["run_id"])
        rows = [
            {
                "run_id": outcome.file_execution_id,
                "organization_id": organization_id,
                "pages_processed": min(outcome.pages, MAX_PAGES),
                "created_at": now,
            }
            for outcome in paged
        ]
        connection.execute(statement, rows)


def add(connection: Connection, organization_id: str, records: list[dict[str, Any]]) -> None:
    """Write usage records as they were sent, each under its ``run_id``."""
    now = connection.scalar(select(db_now()))
    rows = [usage_row(organization_id, str(record.get("run_id") or "")[:100], record, now) for record in records]
    connection.execute(insert(usage), rows)


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
