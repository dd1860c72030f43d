"""Management API of delivered files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from docfleet.backend.calls import results
from docfleet.backend.executions import repository
from docfleet.backend.executions.verification import verify
from docfleet.backend.files import evidence
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import NotFound
from docfleet.core.management.executions import FileEvidence
from docfleet.core.management.verification import Verification


@get("/executions/{execution_id:uuid}/verify", sync_to_thread=True, summary="Verify what an execution delivered")
def verify_execution(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> Verification:
    """Read the destination again and compare it with what was delivered: each file once, unchanged, nothing else.

    ``clean`` says so; ``findings`` names up to 100 differences, ``more_findings`` counts the rest. Takes as long as
    reading the destination does.
    """
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(execution_id))
        if _has_expired(connection, row, settings):
            raise NotFound("the results have expired: there is nothing to verify any more")
    return verify(database, cipher, organization_id, str(execution_id))


@get(
    "/executions/{execution_id:uuid}/files/{file_execution_id:uuid}/evidence",
    sync_to_thread=True,
    summary="Show where the values of a result stand",
)
def get_evidence(
    execution_id: FromPath[UUID],
    file_execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> FileEvidence:
    """For each value of the result, by JSON Pointer: page and boxes, what is written there, how it matches, the checks
    it takes part in and its confidence. It is kept as long as the execution, that of an API's run as long as its
    result."""
    with database.reading() as connection:
        if _has_expired(connection, repository.find(connection, organization_id, str(execution_id)), settings):
            raise NotFound("the results have expired, and their evidence with them")
        return evidence.find(
            connection, settings.execution_storage_root, organization_id, str(execution_id), str(file_execution_id)
        )


def _has_expired(connection: Any, row: Any, settings: BackendSettings) -> bool:
    """Whether it is an API's execution whose results cannot be read any more."""
    ttl = settings.execution_result_ttl_seconds
    return row.api_deployment_id is not None and results.expired(connection, row, ttl)


router = Router(path="/", route_handlers=[verify_execution, get_evidence], tags=["executions"])
