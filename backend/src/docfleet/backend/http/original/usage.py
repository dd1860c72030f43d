"""Usage: tokens, cost and pages of a file execution."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.platform.db import Database
from docfleet.backend.usage import repository

MAX_RECORDS = 1000


class UsageBody(msgspec.Struct):
    """Records, each with its ``run_id``."""

    records: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_RECORDS)]


@get("/usage/aggregated-token-count/{run_id:str}", sync_to_thread=True)
def get_tokens(
    run_id: FromPath[str], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Tokens and cost of one file execution."""
    with database.reading() as connection:
        totals = repository.totals(connection, organization_id, run_id)
    return {"success": True, "data": {"file_execution_id": run_id, "usage": totals}}


@get("/usage/aggregated-pages-processed/{run_id:str}", sync_to_thread=True)
def get_pages(
    run_id: FromPath[str], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Pages of one file execution."""
    with database.reading() as connection:
        pages = repository.pages(connection, organization_id, run_id)
    return {"success": True, "data": {"file_execution_id": run_id, "total_pages_processed": pages}}


@post("/usage/batch", sync_to_thread=True)
def post_usage(
    data: JSONBody[UsageBody], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> Response[dict[str, int]]:
    """Write usage records; 200 when there are none."""
    if not data.records:
        return Response({"created": 0}, status_code=200)
    with database.writing() as connection:
        repository.add(connection, organization_id, data.records)
    return Response({"created": len(data.records)}, status_code=201)


handlers = [get_tokens, get_pages, post_usage]
