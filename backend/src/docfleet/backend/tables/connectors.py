"""Table of connector instances."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, String, Table, Text

from docfleet.backend.platform.db import metadata

connector_instances = Table(
    "connector_instances",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False, index=True),
    Column("connector_name", Text, nullable=False),
    Column("connector_id", Text, nullable=False),
    Column("connector_mode", String(20), nullable=False),
    Column("connector_metadata", Text, nullable=False, comment="sealed with ENCRYPTION_KEY"),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
)
