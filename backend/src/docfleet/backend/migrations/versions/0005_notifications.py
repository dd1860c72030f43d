"""Notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False, comment="deployment or pipeline"),
        sa.Column("target_id", sa.String(length=36), nullable=False, comment="the deployment or pipeline"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("host", sa.Text(), nullable=True, comment="host:port of who is told; holds no secret"),
        sa.Column("settings", sa.Text(), nullable=False, comment="sealed"),
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="of the settings: tells whether they changed"
        ),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("notify_on_failures", sa.Boolean(), nullable=False, comment="only on failures"),
        sa.Column(
            "club_seconds",
            sa.Float(),
            nullable=False,
            comment="events of so many seconds make one message; 0: at once",
        ),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_notifications_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("scope", "target_id", "name", name=op.f("uq_notifications_scope_target_id_name")),
    )
    op.create_index("ix_notifications_organization_id", "notifications", ["organization_id"], unique=False)
    _batches()
    _events()


def _batches() -> None:
    op.create_table(
        "notification_batches",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the idempotency key of all attempts"),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("notification_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="waiting, sending, delivered or dead"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dispatches", sa.Integer(), nullable=False, comment="messages about it since somebody took one"),
        sa.Column("claimed", sa.Boolean(), nullable=False, comment="a worker has it, not only the broker"),
        sa.Column("next_attempt_at", sa.Float(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_batches_notification_id_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_batches")),
    )
    is_open = sa.text("state IN ('waiting', 'sending')")
    op.create_index(
        "ix_notification_batches_open",
        "notification_batches",
        ["notification_id", "next_attempt_at"],
        unique=False,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_notification_batches_state", "notification_batches", ["state", "finished_at"], unique=False)


def _events() -> None:
    op.create_table(
        "notification_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("notification_id", sa.String(length=36), nullable=False),
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("data", sa.Text(), nullable=False, comment="what the target is told"),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["notification_batches.id"],
            name=op.f("fk_notification_events_batch_id_notification_batches"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_events_notification_id_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_events")),
        sa.UniqueConstraint(
            "notification_id",
            "event",
            "execution_id",
            name=op.f("uq_notification_events_notification_id_event_execution_id"),
        ),
    )
    ungrouped = sa.text("batch_id IS NULL")
    op.create_index(
        "ix_notification_events_ungrouped",
        "notification_events",
        ["notification_id", "due_at"],
        unique=False,
        sqlite_where=ungrouped,
        postgresql_where=ungrouped,
    )
    op.create_index(
        "ix_notification_events_listing", "notification_events", ["organization_id", "created_at"], unique=False
    )
    op.create_index("ix_notification_events_batch_id", "notification_events", ["batch_id"], unique=False)


def downgrade() -> None:
    op.drop_table("notification_events")
    op.drop_table("notification_batches")
    op.drop_table("notifications")
