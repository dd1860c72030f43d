"""Fair shares of the file-processing slots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_file_executions_held", "file_executions", ["execution_id", "owner"], sa.text("owner IS NOT NULL")),
    (
        "ix_executions_open_batches",
        "executions",
        ["organization_id"],
        sa.text("status = 'EXECUTING' AND parked_at IS NULL"),
    ),
    (
        "ix_executions_short_of_batches",
        "executions",
        ["organization_id", "created_at"],
        sa.text("status = 'EXECUTING' AND open_batches < batch_count"),
    ),
)


def upgrade() -> None:
    for column in (
        sa.Column(
            "open_batches",
            sa.Integer(),
            nullable=True,
            comment="in the queue or in slots; null before schema 0012",
        ),
        sa.Column(
            "fleet_slots",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="as its orchestrator knew; 0 unknown",
        ),
        sa.Column(
            "parked_at",
            sa.Float(),
            nullable=True,
            comment="started, and no batch sent: its organization has no room",
        ),
    ):
        op.add_column("executions", column)
    op.create_table(
        "slot_shares",
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column(
            "used", sa.Float(), nullable=False, comment="slot seconds used lately while others waited, as of the next"
        ),
        sa.Column("used_at", sa.Float(), nullable=False, comment="epoch seconds; from then on it decays"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_slot_shares_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_slot_shares")),
    )
    for name, table, columns, where in _INDEXES:
        op.create_index(op.f(name), table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table, *_ in reversed(_INDEXES):
        op.drop_index(op.f(name), table_name=table)
    op.drop_table("slot_shares")
    for name in ("parked_at", "fleet_slots", "open_batches"):
        op.drop_column("executions", name)
