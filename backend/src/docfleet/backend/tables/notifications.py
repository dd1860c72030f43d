"""Tables of notifications and of their outbox."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from docfleet.backend.platform.db import Json, metadata

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("scope", String(20), nullable=False, comment="deployment or pipeline"),
    Column("target_id", String(36), nullable=False, comment="the deployment or pipeline"),
    Column("name", Text, nullable=False),
    Column("provider", String(50), nullable=False),
    Column("host", Text, nullable=True, comment="host:port of who is told; holds no secret"),
    Column("settings", Text, nullable=False, comment="sealed"),
    Column("digest", String(64), nullable=False, comment="of the settings: tells whether they changed"),
    Column("events", Json, nullable=False),
    Column("notify_on_failures", Boolean, nullable=False, comment="only on failures"),
    Column("club_seconds", Float, nullable=False, comment="events of so many seconds make one message; 0: at once"),
    Column("max_attempts", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    UniqueConstraint("scope", "target_id", "name"),
    Index("ix_notifications_organization_id", "organization_id"),
)

OPEN_BATCH = "state IN ('waiting', 'sending')"
"""Spelled as in the partial index: SQLite uses such an index only for exactly the same text."""

notification_batches = Table(
    "notification_batches",
    metadata,
    Column("id", String(36), primary_key=True, comment="the idempotency key of all attempts"),
    Column("organization_id", String(100), nullable=False),
    Column("notification_id", ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(20), nullable=False, comment="waiting, sending, delivered or dead"),
    Column("attempts", Integer, nullable=False),
    Column("dispatches", Integer, nullable=False, comment="messages about it since somebody took one"),
    Column("claimed", Boolean, nullable=False, comment="a worker has it, not only the broker"),
    Column("next_attempt_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float, nullable=True),
    Index(
        "ix_notification_batches_open",
        "notification_id",
        "next_attempt_at",
        sqlite_where=text(OPEN_BATCH),
        postgresql_where=text(OPEN_BATCH),
    ),
    Index("ix_notification_batches_state", "state", "finished_at"),
)

UNGROUPED = "batch_id IS NULL"

notification_events = Table(
    "notification_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String(100), nullable=False),
    Column("notification_id", ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False),
    Column("execution_id", String(36), nullable=False),
    Column("event", String(20), nullable=False),
    Column("data", Json, nullable=False, comment="what the target is told"),
    Column("due_at", Float, nullable=False),
    Column("batch_id", ForeignKey("notification_batches.id", ondelete="CASCADE"), nullable=True),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("notification_id", "event", "execution_id"),
    Index(
        "ix_notification_events_ungrouped",
        "notification_id",
        "due_at",
        sqlite_where=text(UNGROUPED),
        postgresql_where=text(UNGROUPED),
    ),
    Index("ix_notification_events_listing", "organization_id", "created_at"),
    Index("ix_notification_events_batch_id", "batch_id"),
)
