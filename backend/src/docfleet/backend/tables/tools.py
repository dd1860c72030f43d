"""Table of tool instances."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from docfleet.backend.platform.db import Json, metadata

tool_instances = Table(
    "tool_instances",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("workflow_id", ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False),
    Column("tool_id", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    UniqueConstraint("workflow_id", "step"),
)
