"""Table of pipelines."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from docfleet.backend.db import metadata

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
    Index("ix_pipelines_name", "organization_id", "pipeline_name", unique=True),
)
