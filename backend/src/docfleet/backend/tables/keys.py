"""Table of keys: only a hash of each is kept."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, String, Table, Text

from docfleet.backend.platform.db import metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False, index=True),
    Column("scope", String(20), nullable=False, comment="deployment, pipeline or platform"),
    Column("target_id", String(36), nullable=True, comment="the deployment or pipeline; none for platform"),
    Column("name", Text, nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("key_prefix", String(8), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float, nullable=True),
    Column("role", String(20), nullable=True, comment="viewer, operator or admin; none: whoami and the list of APIs"),
    Column("key_suffix", String(4), nullable=True),
)
