"""Table of API deployments."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, String, Table, Text, UniqueConstraint

from docfleet.backend.platform.db import metadata

api_deployments = Table(
    "api_deployments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False, unique=True),
    Column("api_name", String(100), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    UniqueConstraint("organization_id", "api_name"),
)
