"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("owner", sa.String(length=36), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "configuration",
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_configuration_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "key", name=op.f("pk_configuration")),
    )
    op.create_table(
        "connector_instances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("connector_name", sa.Text(), nullable=False),
        sa.Column("connector_id", sa.Text(), nullable=False),
        sa.Column("connector_mode", sa.String(length=20), nullable=False),
        sa.Column("connector_metadata", sa.Text(), nullable=False, comment="sealed with ENCRYPTION_KEY"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_connector_instances_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connector_instances")),
    )
    op.create_index(
        op.f("ix_connector_instances_organization_id"), "connector_instances", ["organization_id"], unique=False
    )
    op.create_table(
        "page_usage",
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("pages_processed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_page_usage_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_page_usage")),
    )
    op.create_table(
        "usage",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False, comment="the file execution"),
        sa.Column("embedding_tokens", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("total_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_in_dollars", sa.Float(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False, comment="the record as it was sent"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.organization_id"], name=op.f("fk_usage_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_run", "usage", ["organization_id", "run_id"], unique=False)
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("deployment_type", sa.String(length=20), nullable=False),
        sa.Column("use_file_history", sa.Boolean(), nullable=False),
        sa.Column("max_file_execution_count", sa.Integer(), nullable=True),
        sa.Column("manual_review", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="keyed fingerprint of the specification"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_workflows_organization_id_organizations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflows")),
        sa.UniqueConstraint(
            "organization_id", "workflow_name", name=op.f("uq_workflows_organization_id_workflow_name")
        ),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("pipeline_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("execution_mode", sa.String(length=20), nullable=False),
        sa.Column("execution_method", sa.String(length=20), nullable=False),
        sa.Column("execution_type", sa.String(length=20), nullable=False),
        sa.Column("execution_log_id", sa.Text(), nullable=False),
        sa.Column("result_acknowledged", sa.Boolean(), nullable=False),
        sa.Column("use_file_history", sa.Boolean(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("total_files", sa.Integer(), nullable=False),
        sa.Column("successful_files", sa.Integer(), nullable=False),
        sa.Column("failed_files", sa.Integer(), nullable=False),
        sa.Column("stopped_files", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=False, comment="number of skipped files by reason"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("batch_count", sa.Integer(), nullable=False),
        sa.Column("q_file_no_list", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("error_code", sa.String(length=50), nullable=True),
        sa.Column("empty_reason", sa.String(length=20), nullable=True),
        sa.Column("execution_time", sa.Float(), nullable=False, comment="seconds"),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("idempotency_digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("progress_at", sa.Float(), nullable=False, comment="last register, start, claim or report"),
        sa.Column("dispatched_at", sa.Float(), nullable=True, comment="registration complete, batches sent"),
        sa.Column("redispatched_at", sa.Float(), nullable=True, comment="last time the sweep sent something for it"),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_executions_organization_id_organizations"),
        ),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name=op.f("fk_executions_workflow_id_workflows")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
        sa.UniqueConstraint(
            "organization_id", "idempotency_key", name=op.f("uq_executions_organization_id_idempotency_key")
        ),
    )
    op.create_index("ix_executions_listing", "executions", ["organization_id", "created_at"], unique=False)
    op.create_index("ix_executions_status", "executions", ["status"], unique=False)
    op.create_table(
        "file_history",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("provider_file_uuid", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("execution_count", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name=op.f("fk_file_history_workflow_id_workflows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_history")),
        sa.UniqueConstraint("workflow_id", "identity", name=op.f("uq_file_history_workflow_id_identity")),
    )
    op.create_index("ix_file_history_content", "file_history", ["workflow_id", "content_hash"], unique=False)
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("pipeline_type", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("last_run_status", sa.String(length=20), nullable=True),
        sa.Column("last_run_time", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_pipelines_organization_id_organizations"),
        ),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name=op.f("fk_pipelines_workflow_id_workflows")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
    )
    op.create_index(op.f("ix_pipelines_organization_id"), "pipelines", ["organization_id"], unique=False)
    op.create_table(
        "tool_instances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("tool_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name=op.f("fk_tool_instances_workflow_id_workflows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool_instances")),
        sa.UniqueConstraint("workflow_id", "step", name=op.f("uq_tool_instances_workflow_id_step")),
    )
    op.create_table(
        "workflow_endpoints",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("endpoint_type", sa.String(length=20), nullable=False, comment="SOURCE or DESTINATION"),
        sa.Column("connection_type", sa.String(length=20), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.Column("connector_instance_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["connector_instance_id"],
            ["connector_instances.id"],
            name=op.f("fk_workflow_endpoints_connector_instance_id_connector_instances"),
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_workflow_endpoints_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_endpoints")),
        sa.UniqueConstraint(
            "workflow_id", "endpoint_type", name=op.f("uq_workflow_endpoints_workflow_id_endpoint_type")
        ),
    )
    op.create_table(
        "file_executions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=100), nullable=False),
        sa.Column("workflow_id", sa.String(length=36), nullable=False),
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column("file_number", sa.Integer(), nullable=False, comment="1..N in the execution"),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("file_hash", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False, comment="the FileHashData as registered"),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="fencing token"),
        sa.Column("strikes", sa.Integer(), nullable=False, comment="claims that were not given back"),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=False, comment="epoch seconds; 0 means free"),
        sa.Column("redispatched_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=50), nullable=True),
        sa.Column("outputs", sa.Text(), nullable=True),
        sa.Column("execution_time", sa.Float(), nullable=False, comment="seconds"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_file_executions_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_executions")),
        sa.UniqueConstraint("execution_id", "file_number", name=op.f("uq_file_executions_execution_id_file_number")),
        sa.UniqueConstraint("execution_id", "identity", name=op.f("uq_file_executions_execution_id_identity")),
    )
    op.create_index(
        "ix_file_executions_active",
        "file_executions",
        ["workflow_id", "identity"],
        unique=False,
        sqlite_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
        postgresql_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
    )
    op.create_index("ix_file_executions_counts", "file_executions", ["execution_id", "status"], unique=False)
    op.create_index(
        "ix_file_executions_open",
        "file_executions",
        ["execution_id", "file_number"],
        unique=False,
        sqlite_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
        postgresql_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
    )
    op.create_table(
        "registered_pages",
        sa.Column("execution_id", sa.String(length=36), nullable=False),
        sa.Column("page", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="which files the page held"),
        sa.Column("answer", sa.Text(), nullable=False, comment="what the first call was told"),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_registered_pages_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", "page", name=op.f("pk_registered_pages")),
    )


def downgrade() -> None:
    op.drop_table("registered_pages")
    op.drop_index(
        "ix_file_executions_open",
        table_name="file_executions",
        sqlite_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
        postgresql_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
    )
    op.drop_index("ix_file_executions_counts", table_name="file_executions")
    op.drop_index(
        "ix_file_executions_active",
        table_name="file_executions",
        sqlite_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
        postgresql_where=sa.text("status IN ('PENDING', 'EXECUTING')"),
    )
    op.drop_table("file_executions")
    op.drop_table("workflow_endpoints")
    op.drop_table("tool_instances")
    op.drop_index(op.f("ix_pipelines_organization_id"), table_name="pipelines")
    op.drop_table("pipelines")
    op.drop_index("ix_file_history_content", table_name="file_history")
    op.drop_table("file_history")
    op.drop_index("ix_executions_status", table_name="executions")
    op.drop_index("ix_executions_listing", table_name="executions")
    op.drop_table("executions")
    op.drop_table("workflows")
    op.drop_index("ix_usage_run", table_name="usage")
    op.drop_table("usage")
    op.drop_table("page_usage")
    op.drop_index(op.f("ix_connector_instances_organization_id"), table_name="connector_instances")
    op.drop_table("connector_instances")
    op.drop_table("configuration")
    op.drop_table("organizations")
    op.drop_table("leases")
