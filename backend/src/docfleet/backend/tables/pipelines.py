"""Table of pipelines."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from docfleet.backend.platform.db import metadata

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False, index=True),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("pipeline_name", Text, nullable=False),
    Column("pipeline_type", String(20), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("run_count", Integer, nullable=False),
    Column("last_run_status", String(20), nullable=True),
    Column("last_run_time", Float, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("cron_string", String(200), nullable=True, comment="null: it runs when it is asked to"),
    Column("time_zone", String(64), nullable=False, server_default="UTC"),
    Column("overlap_policy", String(10), nullable=False, server_default="skip"),
    Column("catch_up", String(10), nullable=False, server_default="latest"),
    Column("catch_up_limit", Integer, nullable=False, server_default="10"),
    Column("jitter_seconds", Integer, nullable=False, server_default="0"),
    Column("next_tick_at", BigInteger, nullable=True, comment="the next time of its schedule"),
    Column("next_run_at", BigInteger, nullable=True, comment="when that is due, its jitter later"),
    Index("ix_pipelines_name", "organization_id", "pipeline_name", unique=True),
    Index("ix_pipelines_next_run_at", "next_run_at"),
)
