"""Schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_QUEUED = sa.text("outcome = 'queued'")


def upgrade() -> None:
    for column in (
        sa.Column("cron_string", sa.String(200), nullable=True, comment="null: it runs when it is asked to"),
        sa.Column("time_zone", sa.String(64), nullable=False, server_default="UTC"),
        sa.Column("overlap_policy", sa.String(10), nullable=False, server_default="skip"),
        sa.Column("catch_up", sa.String(10), nullable=False, server_default="latest"),
        sa.Column("catch_up_limit", sa.Integer(), nullable=False, server_default="10"),
        sa.Column("jitter_seconds", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_tick_at", sa.BigInteger(), nullable=True, comment="the next time of its schedule"),
        sa.Column("next_run_at", sa.BigInteger(), nullable=True, comment="when that is due, its jitter later"),
    ):
        op.add_column("pipelines", column)
    op.create_index(op.f("ix_pipelines_next_run_at"), "pipelines", ["next_run_at"], unique=False)
    op.create_table(
        "schedule_ticks",
        sa.Column("pipeline_id", sa.String(length=36), nullable=False),
        sa.Column(
            "scheduled_for", sa.BigInteger(), autoincrement=False, nullable=False, comment="seconds since the epoch"
        ),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("execution_id", sa.String(length=36), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True, comment="why it was refused"),
        sa.Column("decided_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_schedule_ticks_pipeline_id_pipelines"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "scheduled_for", name=op.f("pk_schedule_ticks")),
    )
    op.create_index(op.f("ix_schedule_ticks_decided_at"), "schedule_ticks", ["decided_at"], unique=False)
    op.create_index(
        op.f("ix_schedule_ticks_queued"),
        "schedule_ticks",
        ["pipeline_id", "scheduled_for"],
        unique=False,
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_schedule_ticks_queued"), table_name="schedule_ticks")
    op.drop_index(op.f("ix_schedule_ticks_decided_at"), table_name="schedule_ticks")
    op.drop_table("schedule_ticks")
    op.drop_index(op.f("ix_pipelines_next_run_at"), table_name="pipelines")
    for name in (
        "next_run_at",
        "next_tick_at",
        "jitter_seconds",
        "catch_up_limit",
        "catch_up",
        "overlap_policy",
        "time_zone",
        "cron_string",
    ):
        op.drop_column("pipelines", name)
