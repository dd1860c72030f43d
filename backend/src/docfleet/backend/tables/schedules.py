"""Table of ticks: the outcome of each scheduled time of a pipeline."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table, Text, text

from docfleet.backend.platform.db import metadata

QUEUED_TICK = "outcome = 'queued'"
"""Spelled as in the partial index: SQLite uses such an index only for exactly the same text."""

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("pipeline_id", ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True),
    Column("scheduled_for", BigInteger, primary_key=True, autoincrement=False, comment="seconds since the epoch"),
    Column("outcome", String(10), nullable=False),
    Column("execution_id", String(36), nullable=True),
    Column("detail", Text, nullable=True, comment="why it was refused"),
    Column("decided_at", Float, nullable=False),
    Index("ix_schedule_ticks_decided_at", "decided_at"),
    Index(
        "ix_schedule_ticks_queued",
        "pipeline_id",
        "scheduled_for",
        sqlite_where=text(QUEUED_TICK),
        postgresql_where=text(QUEUED_TICK),
    ),
)
