"""Tables of usage."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Float, ForeignKey, Index, Integer, String, Table

from docfleet.backend.platform.db import Json, metadata

usage = Table(
    "usage",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("run_id", String(100), nullable=False, comment="the file execution"),
    Column("embedding_tokens", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("cost_in_dollars", Float, nullable=False),
    Column("details", Json, nullable=False, comment="the record as it was sent"),
    Column("created_at", Float, nullable=False),
)
Index("ix_usage_run", usage.c.organization_id, usage.c.run_id)

page_usage = Table(
    "page_usage",
    metadata,
    Column("run_id", String(100), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("pages_processed", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)

daily_usage = Table(
    "daily_usage",
    metadata,
    Column("organization_id", ForeignKey("organizations.organization_id"), primary_key=True),
    Column("day", Date, primary_key=True, comment="of UTC"),
    Column("files", BigInteger, nullable=False, comment="registered for processing"),
    Column("pages", BigInteger, nullable=False, comment="of files that ended"),
)
