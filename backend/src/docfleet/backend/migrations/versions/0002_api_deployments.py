"""API deployments, their keys and the results of their runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_deployments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("api_name", sa.String(length=100), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_api_deployments_organization_id_organizations"),
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name=op.f("fk_api_deployments_workflow_id_workflows")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_deployments")),
        sa.UniqueConstraint("organization_id", "api_name", name=op.f("uq_api_deployments_organization_id_api_name")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_api_deployments_workflow_id")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False, comment="deployment, pipeline or platform"),
        sa.Column(
            "target_id",
            sa.String(length=36),
            nullable=True,
            comment="the deployment or pipeline; none for platform",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("key_prefix", sa.String(length=8), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_api_keys_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_organization_id"), "api_keys", ["organization_id"], unique=False)
    op.create_table(
        "file_results",
        sa.Column("file_execution_id", sa.String(length=36), nullable=False),
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column("result", sa.Text(), nullable=True, comment="output, metadata and metrics of an API's run"),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_execution_id"],
            ["file_executions.id"],
            name=op.f("fk_file_results_file_execution_id_file_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("file_execution_id", name=op.f("pk_file_results")),
    )
    op.create_index(op.f("ix_file_results_execution_id"), "file_results", ["execution_id"], unique=False)
    op.add_column("executions", sa.Column("api_deployment_id", sa.String(length=36), nullable=True))
    op.add_column(
        "executions", sa.Column("upload_manifest", sa.Text(), nullable=True, comment="the call's files in its order")
    )
    op.add_column(
        "executions",
        sa.Column("options", sa.Text(), nullable=True, comment="the call's options that concern the run"),
    )
    op.create_index("ix_executions_deployment", "executions", ["api_deployment_id", "created_at"], unique=False)
    op.create_index("ix_pipelines_name", "pipelines", ["organization_id", "pipeline_name"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_pipelines_name", table_name="pipelines")
    op.drop_index("ix_executions_deployment", table_name="executions")
    op.drop_column("executions", "options")
    op.drop_column("executions", "upload_manifest")
    op.drop_column("executions", "api_deployment_id")
    op.drop_index(op.f("ix_file_results_execution_id"), table_name="file_results")
    op.drop_table("file_results")
    op.drop_index(op.f("ix_api_keys_organization_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("api_deployments")
