"""Recovery: lost workers, stop requests, retries and the ledger of deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("file_execution_id", sa.String(length=36), nullable=False),
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of what was delivered, as its sink counts it",
        ),
        sa.Column("delivered_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_execution_id"],
            ["file_executions.id"],
            name=op.f("fk_deliveries_file_execution_id_file_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("file_execution_id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_execution_id"), "deliveries", ["execution_id"], unique=False)
    _describe_strikes("processes it killed while their worker lived")
    op.add_column(
        "file_executions",
        sa.Column(
            "losses",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="leases that ran out with their worker",
        ),
    )
    op.add_column(
        "executions",
        sa.Column(
            "stop_requested_at",
            sa.Float(),
            nullable=True,
            comment="claims are refused; it ends when no lease runs",
        ),
    )
    op.add_column(
        "executions",
        sa.Column(
            "retry_of",
            sa.String(length=36),
            nullable=True,
            comment="the ended execution whose files it takes up again",
        ),
    )
    op.add_column(
        "executions",
        sa.Column(
            "strikes",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="orchestrations that killed their process",
        ),
    )
    op.create_index("ix_executions_retry_of", "executions", ["retry_of"], unique=False)


def _describe_strikes(comment: str) -> None:
    if op.get_bind().dialect.supports_comments:
        op.alter_column("file_executions", "strikes", existing_type=sa.Integer(), comment=comment)


def downgrade() -> None:
    _describe_strikes("claims that were not given back")
    op.drop_index("ix_executions_retry_of", table_name="executions")
    op.drop_column("executions", "strikes")
    op.drop_column("executions", "retry_of")
    op.drop_column("executions", "stop_requested_at")
    op.drop_column("file_executions", "losses")
    op.drop_index(op.f("ix_deliveries_execution_id"), table_name="deliveries")
    op.drop_table("deliveries")
