"""The first paths that an execution skipped, by reason."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from docfleet.backend.platform.db import Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("skipped_examples", Json, nullable=True, comment="their first paths"))


def downgrade() -> None:
    op.drop_column("executions", "skipped_examples")
