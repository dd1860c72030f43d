"""Tables of the lines of executions' logs, and of their numbering."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from docfleet.backend.platform.db import Json, metadata

log_channels = Table(
    "log_channels",
    metadata,
    Column("execution_id", ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("last_sequence", Integer, nullable=False, comment="its row lock puts numbers in the order of commits"),
    Column("archived_at", Float, nullable=True, comment="its lines are in a file; none is added any more"),
    Index("ix_log_channels_archived_at", "archived_at"),
)

execution_logs = Table(
    "execution_logs",
    metadata,
    Column("execution_id", ForeignKey("log_channels.execution_id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False, comment="with gaps where one was repeated"),
    Column("event_id", String(64), nullable=False),
    Column("event_time", Float, nullable=False, comment="seconds since the epoch, by the sender's clock"),
    Column("type", String(10), nullable=False),
    Column("level", Integer, nullable=False, comment="0 INFO, 1 WARN, 2 ERROR"),
    Column("stage", String(50), nullable=False),
    Column("file_execution_id", String(64), nullable=True),
    Column("data", Json, nullable=False, comment="the other keys of the event"),
    Index("uq_execution_logs_event", "execution_id", "event_id", unique=True),
)
