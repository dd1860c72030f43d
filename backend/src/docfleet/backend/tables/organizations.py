"""Tables of organizations and their settings."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, String, Table, Text

from docfleet.backend.platform.db import metadata

organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", String(100), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
)

configuration = Table(
    "configuration",
    metadata,
    Column("organization_id", ForeignKey("organizations.organization_id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("modified_at", Float, nullable=False),
)

slot_shares = Table(
    "slot_shares",
    metadata,
    Column("organization_id", ForeignKey("organizations.organization_id", ondelete="CASCADE"), primary_key=True),
    Column("used", Float, nullable=False, comment="slot seconds used lately while others waited, as of the next"),
    Column("used_at", Float, nullable=False, comment="epoch seconds; from then on it decays"),
)
