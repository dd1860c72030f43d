"""Tables of executions and of what was registered page by page."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from docfleet.backend.platform.db import Json, metadata

OPEN_EXECUTION = "status IN ('PENDING', 'EXECUTING')"
"""Spelled as in the partial index: SQLite uses such an index only for exactly the same text."""
OPEN_BATCHES = "status = 'EXECUTING' AND parked_at IS NULL"
"""Batches may be open. Spelled as in the partial index, too."""
SHORT_OF_BATCHES = "status = 'EXECUTING' AND open_batches < batch_count"
"""It has fewer batches than planned, because its organization has no room for more."""

executions = Table(
    "executions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.organization_id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("pipeline_id", String(36), nullable=True),
    Column("status", String(20), nullable=False),
    Column("task_id", Text, nullable=True),
    Column("execution_mode", String(20), nullable=False),
    Column("execution_method", String(20), nullable=False),
    Column("execution_type", String(20), nullable=False),
    Column("execution_log_id", Text, nullable=False),
    Column("result_acknowledged", Boolean, nullable=False),
    Column("use_file_history", Boolean, nullable=False),
    Column("tags", Json, nullable=False),
    Column("total_files", Integer, nullable=False),
    Column("successful_files", Integer, nullable=False),
    Column("failed_files", Integer, nullable=False),
    Column("stopped_files", Integer, nullable=False),
    Column("skipped", Json, nullable=False, comment="number of skipped files by reason"),
    Column("skipped_examples", Json, nullable=True, comment="their first paths"),
    Column("attempts", Integer, nullable=False),
    # 0 although it is dispatched: its batches bring the files (``executions.additions``).
    Column("batch_count", Integer, nullable=False),
    Column("open_batches", Integer, nullable=True, comment="in the queue or in slots; null before schema 0012"),
    Column("fleet_slots", Integer, nullable=False, server_default="0", comment="as its orchestrator knew; 0 unknown"),
    Column("parked_at", Float, nullable=True, comment="started, and no batch sent: its organization has no room"),
    Column("q_file_no_list", Json, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_code", String(50), nullable=True),
    Column("empty_reason", String(20), nullable=True),
    Column("execution_time", Float, nullable=False, comment="seconds"),
    Column("idempotency_key", String(255), nullable=True),
    Column("idempotency_digest", String(64), nullable=True),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("progress_at", Float, nullable=False, comment="last register, start, claim or report"),
    Column("dispatched_at", Float, nullable=True, comment="registration complete, batches sent"),
    Column("redispatched_at", Float, nullable=True, comment="last time the sweep sent something for it"),
    Column("finished_at", Float, nullable=True),
    Column("api_deployment_id", String(36), nullable=True),
    Column("upload_manifest", Json, nullable=True, comment="the call's files in its order"),
    Column("options", Json, nullable=True, comment="the call's options that concern the run"),
    Column("stop_requested_at", Float, nullable=True, comment="claims are refused; it ends when no lease runs"),
    Column("retry_of", String(36), nullable=True, comment="the ended execution whose files it takes up again"),
    Column("strikes", Integer, nullable=False, server_default="0", comment="orchestrations that killed their process"),
    Column("troubles", Integer, nullable=False, server_default="0", comment="listings ended by a machine's fault"),
    Column("waiting", Json, nullable=True, comment="the Waiting that its last orchestration reported"),
    Column("waiting_cause", String(30), nullable=True, comment="the WaitCause that its log names"),
    Column(
        "reserved_files", Integer, nullable=False, server_default="0", comment="of the quota, until they are counted"
    ),
    UniqueConstraint("organization_id", "idempotency_key"),
    Index("ix_executions_listing", "organization_id", "created_at"),
    Index("ix_executions_status", "status"),
    Index("ix_executions_deployment", "api_deployment_id", "created_at"),
    Index("ix_executions_retry_of", "retry_of"),
    Index(
        "ix_executions_open",
        "organization_id",
        sqlite_where=text(OPEN_EXECUTION),
        postgresql_where=text(OPEN_EXECUTION),
    ),
    Index(
        "ix_executions_open_batches",
        "organization_id",
        sqlite_where=text(OPEN_BATCHES),
        postgresql_where=text(OPEN_BATCHES),
    ),
    Index(
        "ix_executions_short_of_batches",
        "organization_id",
        "created_at",
        sqlite_where=text(SHORT_OF_BATCHES),
        postgresql_where=text(SHORT_OF_BATCHES),
    ),
)

registered_pages = Table(
    "registered_pages",
    metadata,
    Column("execution_id", ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, comment="which files the page held"),
    Column("answer", Json, nullable=False, comment="what the first call was told"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("owner", String(36), nullable=False),
    Column("until", Float, nullable=False),
)
