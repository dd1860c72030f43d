"""Presence of workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("node", sa.String(length=300), nullable=False, comment="owners of its leases begin with it"),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="as announced"),
        sa.Column(
            "place",
            sa.String(length=200),
            nullable=False,
            comment="workers of one place see each other's processes",
        ),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False, comment="clock ticks since the boot"),
        sa.Column("first_seen_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("silent_seconds", sa.Float(), nullable=False, comment="so long without a beat means dead"),
        sa.Column("alive_until", sa.Float(), nullable=False, comment="dead beyond, unless a beat comes"),
        sa.Column("ended", sa.Boolean(), nullable=False, comment="its process was seen to have ended"),
        sa.Column("freed_at", sa.Float(), nullable=True, comment="it is dead, and its leases are freed"),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
