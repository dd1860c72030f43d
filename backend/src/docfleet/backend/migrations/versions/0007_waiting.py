"""What open files and executions wait for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FILE_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column(
        "not_before", sa.Float(), nullable=False, server_default="0", comment="epoch seconds; not handed out earlier"
    ),
    sa.Column(
        "troubles", sa.Integer(), nullable=False, server_default="0", comment="handed back for its worker's machine"
    ),
    sa.Column("waiting_cause", sa.String(30), nullable=True, comment="a WaitCause"),
    sa.Column(
        "waiting", sa.Text(), nullable=True, comment="the Waiting, reported under its attempt or by the one before"
    ),
)
_EXECUTION_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column(
        "troubles", sa.Integer(), nullable=False, server_default="0", comment="listings ended by a machine's fault"
    ),
    sa.Column("waiting", sa.Text(), nullable=True, comment="the Waiting that its last orchestration reported"),
    sa.Column("waiting_cause", sa.String(30), nullable=True, comment="the WaitCause that its log names"),
)


def upgrade() -> None:
    for column in _FILE_COLUMNS:
        op.add_column("file_executions", column.copy())
    for column in _EXECUTION_COLUMNS:
        op.add_column("executions", column.copy())


def downgrade() -> None:
    for column in _EXECUTION_COLUMNS:
        op.drop_column("executions", column.name)
    for column in _FILE_COLUMNS:
        op.drop_column("file_executions", column.name)
