"""Routes of a platform key: its organization, and the APIs in it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import anyio.to_thread
from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from docfleet.backend.calls import callers
from docfleet.backend.calls.refusals import CallRefused, invalid_field
from docfleet.backend.calls.service import call_path
from docfleet.backend.deployments import repository
from docfleet.backend.http.calls import documentation, formats
from docfleet.backend.platform.db import Database, Record, iso

PUBLIC = {"public": True}
_ORDERS = ("api_name", "display_name", "created_at", "modified_at", "is_active")


@get("/whoami", opt=PUBLIC, responses=documentation.PLATFORM, summary="Whose platform key is this?")
async def whoami(request: Request[Any, Any, Any], database: NamedDependency[Database]) -> dict[str, str]:
    """The organization the key belongs to."""
    caller = await anyio.to_thread.run_sync(callers.platform, database, request.headers.get("Authorization", ""))
    return {
        "organization_id": caller.organization_id,
        "organization_name": caller.target.name,
        "permission": "read",
        "key_name": caller.key.name,
    }


@get("/{org_id:str}/api/deployment", opt=PUBLIC, responses=documentation.PLATFORM, summary="List APIs by page")
async def list_apis(
    org_id: FromPath[str],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    api_name: FromQuery[str | None] = None,
    search: FromQuery[str | None] = None,
    workflow: FromQuery[UUID | None] = None,
    ordering: FromQuery[str | None] = None,
    page: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
    page_size: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """The organization's deployments; ``next`` and ``previous`` are URLs."""

    def read() -> tuple[list[dict[str, Any]], int]:
        caller = callers.platform(database, request.headers.get("Authorization", ""))
        if caller.organization_id != org_id:
            raise CallRefused(403, "permission_denied", "the key belongs to another organization")
        with database.reading() as connection:
            rows = repository.listing(connection, org_id)
        wanted = [row for row in rows if _matches(row, api_name, search, workflow)]
        return [_summary(database, row) for row in _page(_ordered(wanted, ordering), page, page_size)], len(wanted)

    results, count = await anyio.to_thread.run_sync(read)
    if page > 1 and not results:
        raise CallRefused(404, "not_found", "there is no such page")
    last = -(-count // page_size)
    return {
        "count": count,
        "next": _at(request, page + 1) if page < last else None,
        "previous": _at(request, page - 1) if page > 1 else None,
        "results": results,
    }


def _at(request: Request[Any, Any, Any], page: int) -> str:
    query = {name: value for name, value in request.query_params.items() if name != "page"}
    return f"{str(request.url).partition('?')[0]}?{urlencode({**query, 'page': page})}"


def _matches(row: Record, api_name: str | None, search: str | None, workflow: UUID | None) -> bool:
    text = f"{row.api_name}\n{row.display_name}\n{row.description}".lower()
    return (
        (api_name is None or row.api_name == api_name)
        and (not search or search.lower() in text)
        and (workflow is None or row.workflow_id == str(workflow))
    )


def _ordered(rows: list[Record], ordering: str | None) -> list[Record]:
    if not ordering:
        return rows
    name = ordering.removeprefix("-")
    if name not in _ORDERS:
        raise invalid_field("ordering", f"ordering has to be one of {', '.join(_ORDERS)}, with - for descending")
    return sorted(rows, key=lambda row: row._mapping[name], reverse=ordering.startswith("-"))


def _page(rows: list[Record], page: int, size: int) -> list[Record]:
    return rows[(page - 1) * size : page * size]


def _summary(database: Database, row: Record) -> dict[str, Any]:
    with database.reading() as connection:
        runs, count = repository.recent_runs(connection, row.id), repository.count_runs(connection, row.id)
    return {
        "id": row.id,
        "api_name": row.api_name,
        "display_name": row.display_name,
        "description": row.description,
        "is_active": row.is_active,
        "api_endpoint": call_path(row.organization_id, row.api_name).lstrip("/"),
        "workflow": row.workflow_id,
        "workflow_name": row.workflow_name,
        "run_count": count,
        "last_run_time": iso(runs[0].created_at) if runs else None,
        "last_5_run_statuses": [
            {"execution_id": run.id, "status": run.status, "timestamp": iso(run.created_at)} for run in runs
        ],
        "created_by": None,
        "created_by_email": None,
        "is_owner": False,
        "co_owners_count": 0,
        "owner_emails": [],
    }


router = Router(
    path="/api/v1/unstract",
    route_handlers=[whoami, list_apis],
    exception_handlers=formats.platform_handlers,
    tags=["public API"],
)
