"""Tables of workflows and their endpoints."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from docfleet.backend.platform.db import Json, metadata

workflows = Table(
    "workflows",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("workflow_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("deployment_type", String(20), nullable=False),
    Column("use_file_history", Boolean, nullable=False),
    Column("max_file_execution_count", Integer, nullable=True),
    Column("manual_review", Json, nullable=False),
    Column("digest", String(64), nullable=False, comment="keyed fingerprint of the specification"),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    UniqueConstraint("organization_id", "workflow_name"),
)

workflow_endpoints = Table(
    "workflow_endpoints",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("workflow_id", ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint_type", String(20), nullable=False, comment="SOURCE or DESTINATION"),
    Column("connection_type", String(20), nullable=False),
    Column("configuration", Json, nullable=False),
    Column("connector_instance_id", ForeignKey("connector_instances.id"), nullable=True),
    UniqueConstraint("workflow_id", "endpoint_type"),
)
