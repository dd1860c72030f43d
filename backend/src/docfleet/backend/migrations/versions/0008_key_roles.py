"""Roles of keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A key from before has no role: it opens what it opened.
    role = "viewer, operator or admin; none: whoami and the list of APIs"
    op.add_column("api_keys", sa.Column("role", sa.String(length=20), nullable=True, comment=role))
    op.add_column("api_keys", sa.Column("key_suffix", sa.String(length=4), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "key_suffix")
    op.drop_column("api_keys", "role")
