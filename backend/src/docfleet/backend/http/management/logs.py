"""Management API of logs: pages, exports, and the live stream."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from docfleet.backend.http.management.live_logs import follow_log
from docfleet.backend.logs.history import History
from docfleet.backend.logs.repository import LogFilter
from docfleet.backend.platform.db import Database, iso
from docfleet.backend.settings import BackendSettings
from docfleet.core.log_events import LogLevel, LogType
from docfleet.core.management.logs import LogLine, LogPage

Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
After = Annotated[int, QueryParameter(ge=0, le=2**53, description="The `next` of the page before")]
Kind = Annotated[LogType | None, QueryParameter(name="type", description="Only events of this type")]
Form = Annotated[Literal["csv", "jsonl"], QueryParameter(name="format", description="JSON lines, or CSV")]

COLUMNS = ("sequence", "time", "type", "level", "stage", "file_execution_id", "step")
TEXT_FIELDS = ("log", "component", "state", "message")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first four as East Asian keyboards write them."""


@get("/executions/{execution_id:uuid}/logs", sync_to_thread=True, summary="Show the log of an execution")
def list_logs(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    after: After = 0,
    limit: Limit = 100,
    level: FromQuery[LogLevel] = LogLevel.INFO,
    file: FromQuery[UUID | None] = None,
    kind: Kind = None,
) -> LogPage:
    """Lines in their order, at least of this ``level``, of one ``file`` (its execution's id), of one ``type``."""
    history = History(database, settings.execution_storage_root, organization_id, str(execution_id))
    lines = history.page(after, limit, _filter(level, file, kind))
    return LogPage(lines, next=lines[-1].sequence if len(lines) == limit else None)


@get("/executions/{execution_id:uuid}/logs/export", sync_to_thread=True, summary="Export the log of an execution")
def export_logs(
    execution_id: FromPath[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    form: Form = "jsonl",
    level: FromQuery[LogLevel] = LogLevel.INFO,
    file: FromQuery[UUID | None] = None,
    kind: Kind = None,
) -> Stream:
    """All lines, as JSON lines or as CSV for a spreadsheet."""
    history = History(database, settings.execution_storage_root, organization_id, str(execution_id))
    pages = history.pages(0, _filter(level, file, kind))
    name = f'attachment; filename="{execution_id}.{form}"'
    media_type = "text/csv" if form == "csv" else "application/jsonl"
    return Stream(
        as_csv(pages) if form == "csv" else as_json_lines(pages),
        media_type=media_type,
        headers={"Content-Disposition": name},
    )


def _filter(level: LogLevel, file: UUID | None, kind: LogType | None) -> LogFilter:
    return LogFilter(level=level, file_execution_id=None if file is None else str(file), type=kind)


def as_json_lines(pages: Iterator[list[LogLine]]) -> Iterator[bytes]:
    """One object per line."""
    for page in pages:
        yield b"".join(msgspec.json.encode(line) + b"\n" for line in page)


def as_csv(pages: Iterator[list[LogLine]]) -> Iterator[bytes]:
    """With a header; no cell is a formula."""
    yield _rows([[*COLUMNS, *TEXT_FIELDS]])
    for page in pages:
        yield _rows([[*_plain(line), *(_cell(getattr(line, name)) for name in TEXT_FIELDS)] for line in page])


def _plain(line: LogLine) -> list[Any]:
    values = {
        **msgspec.to_builtins(line),
        "time": iso(line.timestamp),
        "stage": _cell(line.stage),
        "file_execution_id": _cell(line.file_execution_id or ""),
    }
    return [values.get(name) for name in COLUMNS]


def _cell(text: str) -> str:
    # A spreadsheet would execute a text or name that begins like a formula.
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(rows: list[list[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


router = Router(path="/", route_handlers=[list_logs, export_logs, follow_log], tags=["executions"])
