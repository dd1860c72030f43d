"""Tables of files.

``identity`` is the SHA-256 of file key and path: paths may be longer than an index entry of PostgreSQL takes.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import (
    BigInteger,
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


def identity(file_key: str, file_path: str | None) -> str:
    """The identity of a file: its key and its path (64 hex). History rows of API runs have no path."""
    return hashlib.sha256(f"{file_key}\0{file_path or ''}".encode("utf-8", "surrogatepass")).hexdigest()


OPEN_FILE = "status IN ('PENDING', 'EXECUTING')"
"""Spelled as in the partial indexes: SQLite uses such an index only for exactly the same text."""

HELD_FILE = "owner IS NOT NULL"
"""A worker has it, or had it when its lease ran out. Spelled as in the partial index."""

file_executions = Table(
    "file_executions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String(100), nullable=False),
    Column("workflow_id", String(36), nullable=False),
    Column("execution_id", ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("file_number", Integer, nullable=False, comment="1..N in the execution"),
    Column("identity", String(64), nullable=False),
    Column("file_key", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_path", Text, nullable=False),
    Column("file_size", BigInteger, nullable=False, comment="bytes"),
    Column("file_hash", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("data", Json, nullable=False, comment="the FileHashData as registered"),
    Column("status", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, comment="fencing token"),
    Column("strikes", Integer, nullable=False, comment="processes it killed while their worker lived"),
    Column("losses", Integer, nullable=False, server_default="0", comment="leases that ran out with their worker"),
    Column("owner", Text, nullable=True),
    Column("lease_until", Float, nullable=False, comment="epoch seconds; 0 means free"),
    Column("redispatched_at", Float, nullable=True),
    Column("not_before", Float, nullable=False, server_default="0", comment="not handed out before"),
    Column("troubles", Integer, nullable=False, server_default="0", comment="handed back for its worker's machine"),
    Column("waiting_cause", String(30), nullable=True, comment="a WaitCause"),
    Column("waiting", Json, nullable=True, comment="the Waiting, reported under its attempt or by the one before"),
    Column("error", Text, nullable=True),
    Column("error_code", String(50), nullable=True),
    Column("outputs", Json, nullable=True),
    Column("execution_time", Float, nullable=False, comment="seconds"),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("finished_at", Float, nullable=True),
    UniqueConstraint("execution_id", "identity"),
    UniqueConstraint("execution_id", "file_number"),
    Index("ix_file_executions_counts", "execution_id", "status"),
    Index(
        "ix_file_executions_open",
        "execution_id",
        "file_number",
        sqlite_where=text(OPEN_FILE),
        postgresql_where=text(OPEN_FILE),
    ),
    Index(
        "ix_file_executions_held",
        "execution_id",
        "owner",
        sqlite_where=text(HELD_FILE),
        postgresql_where=text(HELD_FILE),
    ),
    Index(
        "ix_file_executions_active",
        "workflow_id",
        "identity",
        sqlite_where=text(OPEN_FILE),
        postgresql_where=text(OPEN_FILE),
    ),
)

file_history = Table(
    "file_history",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String(100), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False),
    Column("identity", String(64), nullable=False),
    Column("file_key", Text, nullable=False),
    Column("file_path", Text, nullable=True),
    Column("content_hash", Text, nullable=False),
    Column("provider_file_uuid", Text, nullable=True),
    Column("status", String(20), nullable=False),
    Column("execution_count", Integer, nullable=False),
    Column("error", Text, nullable=True),
    Column("result", Text, nullable=True),
    Column("metadata", Text, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    UniqueConstraint("workflow_id", "identity"),
    Index("ix_file_history_content", "workflow_id", "content_hash"),
)

file_results = Table(
    "file_results",
    metadata,
    Column("file_execution_id", ForeignKey("file_executions.id", ondelete="CASCADE"), primary_key=True),
    Column("execution_id", String(36), nullable=False, index=True),
    Column("result", Json, nullable=True, comment="output, metadata and metrics of an API's run"),
    Column("metadata", Json, nullable=True),
    Column("created_at", Float, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("file_execution_id", ForeignKey("file_executions.id", ondelete="CASCADE"), primary_key=True),
    Column("execution_id", String(36), nullable=False, index=True),
    Column("digest", String(64), nullable=False, comment="SHA-256 of what was delivered, as its sink counts it"),
    Column("delivered_at", Float, nullable=False),
)
