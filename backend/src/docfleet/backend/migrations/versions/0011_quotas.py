"""Quotas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('PENDING', 'EXECUTING')")


def upgrade() -> None:
    op.create_table(
        "daily_usage",
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="of UTC"),
        sa.Column("files", sa.BigInteger(), nullable=False, comment="registered for processing"),
        sa.Column("pages", sa.BigInteger(), nullable=False, comment="of files that ended"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_daily_usage_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "day", name=op.f("pk_daily_usage")),
    )
    op.add_column(
        "executions",
        sa.Column(
            "reserved_files",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="of the quota, until they are counted",
        ),
    )
    op.create_index(
        op.f("ix_executions_open"),
        "executions",
        ["organization_id"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_executions_open"), table_name="executions")
    op.drop_column("executions", "reserved_files")
    op.drop_table("daily_usage")
