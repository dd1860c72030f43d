"""What open files and executions wait for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column(
            "not_before",
            sa.Float(),
            nullable=False,
            server_default="0",
            comment="not handed out before",
        ),
        sa.Column(
            "troubles", sa.Integer(), nullable=False, server_default="0", comment="handed back for its worker's machine"
        ),
        sa.Column("waiting_cause", sa.String(30), nullable=True, comment="a WaitCause"),
        sa.Column(
            "waiting", sa.Text(), nullable=True, comment="the Waiting, reported under its attempt or by the one before"
        ),
    ):
        op.add_column("file_executions", column)
    for column in (
        sa.Column(
            "troubles", sa.Integer(), nullable=False, server_default="0", comment="listings ended by a machine's fault"
        ),
        sa.Column("waiting", sa.Text(), nullable=True, comment="the Waiting that its last orchestration reported"),
        sa.Column("waiting_cause", sa.String(30), nullable=True, comment="the WaitCause that its log names"),
    ):
        op.add_column("executions", column)


def downgrade() -> None:
    for name in ("waiting_cause", "waiting", "troubles"):
        op.drop_column("executions", name)
    for name in ("waiting", "waiting_cause", "troubles", "not_before"):
        op.drop_column("file_executions", name)
