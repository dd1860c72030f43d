"""Logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_channels",
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column(
            "last_sequence",
            sa.Integer(),
            nullable=False,
            comment="its row lock puts numbers in the order of commits",
        ),
        sa.Column("archived_at", sa.Float(), nullable=True, comment="its lines are in a file; none is added any more"),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_log_channels_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_log_channels")),
    )
    op.create_index("ix_log_channels_archived_at", "log_channels", ["archived_at"], unique=False)
    op.create_table(
        "execution_logs",
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column(
            "sequence",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="with gaps where one was repeated",
        ),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("event_time", sa.Float(), nullable=False, comment="seconds since the epoch, by the sender's clock"),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False, comment="0 INFO, 1 WARN, 2 ERROR"),
        sa.Column("stage", sa.String(length=50), nullable=False),
        sa.Column("file_execution_id", sa.String(length=64), nullable=True),
        sa.Column("data", sa.Text(), nullable=False, comment="the other keys of the event"),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["log_channels.execution_id"],
            name=op.f("fk_execution_logs_execution_id_log_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", "sequence", name=op.f("pk_execution_logs")),
    )
    op.create_index("uq_execution_logs_event", "execution_logs", ["execution_id", "event_id"], unique=True)


def downgrade() -> None:
    op.drop_table("execution_logs")
    op.drop_table("log_channels")
