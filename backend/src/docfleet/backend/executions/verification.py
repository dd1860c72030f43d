"""Verification: the destination holds each delivered file once, unchanged, and nothing else.

The destination is read again, page by page, and compared with the file rows and the ledger. There are three kinds
of sinks: rows of a table, files of a folder, results kept for an API's caller. Memory grows by one byte per file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from sqlalchemy import Connection, Text, func, select, type_coerce

from docfleet.backend.executions import context, repository
from docfleet.backend.files.counts import count_files
from docfleet.backend.files.results import text_digest
from docfleet.backend.platform.db import Database, Record
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import deliveries, file_results
from docfleet.backend.tables.files import file_executions as files
from docfleet.connectors.base import (
    DocumentIdentity,
    FileSystemConnector,
    OnChange,
    StoredRow,
    TableSettings,
    table_settings,
)
from docfleet.connectors.delivery import combined_digest, content_digest
from docfleet.connectors.registry import connector_info, open_database, open_file_system
from docfleet.core.errors import (
    Conflict,
    DestinationRejected,
    DestinationUnavailable,
    FileError,
    FileMissing,
    SourceError,
    UnsafePath,
)
from docfleet.core.execution import DestinationConfig
from docfleet.core.management.verification import Verification
from docfleet.core.names import WorkflowType
from docfleet.core.status import ExecutionStatus

PAGE_FILES = 500

_COMPLETED, _ERROR = ExecutionStatus.COMPLETED.value, ExecutionStatus.ERROR.value
_UNSEEN, _SAME, _CHANGED, _DOUBLED = range(4)


def verify(database: Database, cipher: Cipher, organization_id: str, execution_id: str) -> Verification:
    """Compare. The destination is the current one of the workflow.

    Raises ``NotFound``, ``Conflict`` while the execution runs, and what the connector raises.
    """
    with database.reading() as connection:
        row = repository.find(connection, organization_id, execution_id)
        if not repository.is_final(row):
            raise Conflict(f"the execution is {row.status}: its deliveries can be verified when it has ended")
        config = context.build(connection, cipher, organization_id, execution_id).destination_config
        expected = count_files(connection, execution_id).completed
        numbers = select(func.max(files.c.file_number)).where(files.c.execution_id == execution_id)
        highest = connection.scalar(numbers) or 0
    result = Verification(
        execution_id=execution_id, status=row.status, destination=config.connection_type, expected=expected
    )
    if row.api_deployment_id is not None or config.is_api:
        result.destination = WorkflowType.API.value
        _results(database, result)
        return result.conclude()
    _check_readable(config)
    if config.connection_type == "DATABASE":
        _Rows(database, result, highest).compare(config)
    else:
        _files(database, result, config)
    return result.conclude()


def _check_readable(config: DestinationConfig) -> None:
    info = connector_info(config.connector_id or "")
    if not info.can_read:
        raise DestinationRejected(
            f"the destination cannot be read back: connector {info.short_name} only writes; look at what arrived "
            "in the destination itself"
        )


class _Rows:
    """Compares the rows of a table. ``state`` has one byte per file, by number."""

    def __init__(self, database: Database, result: Verification, highest: int) -> None:
        self._database = database
        self._result = result
        self._state = bytearray(highest + 1)

    def compare(self, config: DestinationConfig) -> None:
        connector = open_database(config.connector_id or "", config.connector_settings)
        try:
            target = table_settings(config.settings)
            stored = connector.read_back(target, self._result.execution_id)
            for page in batched(stored, PAGE_FILES):
                self._page(page)
        finally:
            connector.close()
        if sum(1 for state in self._state if state) < self._result.expected:
            self._name_missing(target)

    def _page(self, page: tuple[StoredRow, ...]) -> None:
        ids = {row.file_execution_id for row in page}
        with self._database.reading() as connection:
            statement = _with_digest(self._result.execution_id).where(files.c.id.in_(ids))
            known = {row.id: row for row in connection.execute(statement)}
        for stored in page:
            row = known.get(stored.file_execution_id)
            if row is None:
                self._result.add("unexpected", stored.file_execution_id, "", "a row of no file of this execution")
            elif row.status == _COMPLETED:
                self._completed(row, stored)
            elif row.status == _ERROR and stored.status == "ERROR":
                self._result.error_rows += 1
            else:
                detail = f"a row with status {stored.status} of a file that is {row.status}"
                self._result.add("unexpected", row.id, row.file_path, detail)

    def _completed(self, row: Record, stored: StoredRow) -> None:
        before = self._state[row.file_number]
        if before == _DOUBLED:
            return
        if before != _UNSEEN:
            self._state[row.file_number] = _DOUBLED
            self._result.changed -= before == _CHANGED
            self._result.add("doubled", row.id, row.file_path, "more than one row")
        elif row.digest not in (None, stored.digest):
            self._state[row.file_number] = _CHANGED
            self._result.add("changed", row.id, row.file_path, "the row is not what was delivered")
        else:
            self._state[row.file_number] = _SAME
            self._result.not_compared += row.digest is None

    def _name_missing(self, target: TableSettings) -> None:
        for row in _completed_files(self._database, self._result.execution_id):
            if self._state[row.file_number] != _UNSEEN:
                continue
            if target.on_change is OnChange.REPLACE and self._is_replaced(row, target.identity):
                self._result.replaced += 1
            else:
                self._result.add("missing", row.id, row.file_path, "no row")

    def _is_replaced(self, row: Record, identity: DocumentIdentity) -> bool:
        """Whether a later execution of the workflow has delivered the same document."""
        if identity is DocumentIdentity.CONTENT and not row.file_hash:
            return False
        named = files.c.file_path if identity is DocumentIdentity.PATH else files.c.file_hash
        this = select(executions).where(executions.c.id == self._result.execution_id).subquery()
        later = (
            select(files.c.id)
            .join(executions, executions.c.id == files.c.execution_id)
            .join(this, this.c.workflow_id == executions.c.workflow_id)
            .where(executions.c.id != this.c.id, executions.c.created_at >= this.c.created_at)
            .where(files.c.status == _COMPLETED, named == row._mapping[named.name])
        )
        with self._database.reading() as connection:
            return connection.execute(later.limit(1)).first() is not None


def _files(database: Database, result: Verification, config: DestinationConfig) -> None:
    connector = open_file_system(config.connector_id or "", config.connector_settings)
    try:
        if result.expected:
            connector.check()
        for row in _completed_files(database, result.execution_id):
            problem = _compare_file(connector, row)
            if problem is not None:
                result.add(problem[0], row.id, row.file_path, problem[1])
            else:
                result.not_compared += row.digest is None
    except SourceError as error:
        raise DestinationUnavailable(f"the destination cannot be read from the backend: {error.message}") from error
    finally:
        connector.close()


def _compare_file(connector: FileSystemConnector, row: Record) -> tuple[str, str] | None:
    digests = []
    for location in row.outputs or []:
        try:
            with connector.open(connector.path_of(location)) as content:
                digests.append(content_digest(content))
        except (FileMissing, UnsafePath) as error:
            return "missing", error.message
        except FileError as error:
            return "unreadable", error.message
    if not digests:
        return "missing", "no output is noted"
    if row.digest not in (None, combined_digest(digests)):
        return "changed", f"{', '.join(row.outputs[:3])}: not what was delivered"
    return None


def _results(database: Database, result: Verification) -> None:
    text = type_coerce(file_results.c.result, Text).label("result")
    statement = (
        _with_digest(result.execution_id)
        .add_columns(file_results.c.file_execution_id.label("kept"), text)
        .outerjoin(file_results, file_results.c.file_execution_id == files.c.id)
    )
    for row in _by_number(database, statement):
        if row.status == _COMPLETED:
            if row.result is None:
                result.add("missing", row.id, row.file_path, "no result is kept")
            elif row.digest not in (None, text_digest(row.result)):
                result.add("changed", row.id, row.file_path, "the result is not what was delivered")
            else:
                result.not_compared += row.digest is None
        elif row.kept is not None and row.result is None and row.status == _ERROR:
            result.error_rows += 1
        elif row.kept is not None:
            result.add("unexpected", row.id, row.file_path, f"a result of a file that is {row.status}")


def _with_digest(execution_id: str) -> Any:
    return (
        select(
            files.c.id,
            files.c.file_number,
            files.c.file_path,
            files.c.file_hash,
            files.c.status,
            files.c.outputs,
            deliveries.c.digest,
        )
        .outerjoin_from(files, deliveries, deliveries.c.file_execution_id == files.c.id)
        .where(files.c.execution_id == execution_id)
    )


def _completed_files(database: Database, execution_id: str) -> Iterator[Record]:
    return _by_number(database, _with_digest(execution_id).where(files.c.status == _COMPLETED))


def _by_number(database: Database, statement: Any) -> Iterator[Record]:
    """The rows in order of file number, page by page; no transaction is open while a page is processed."""
    after = 0
    while True:
        with database.reading() as connection:
            page = _page(connection, statement, after)
        yield from page
        if len(page) < PAGE_FILES:
            return
        after = page[-1].file_number


def _page(connection: Connection, statement: Any, after: int) -> list[Record]:
    rows: Iterable[Record] = connection.execute(
        statement.where(files.c.file_number > after).order_by(files.c.file_number).limit(PAGE_FILES)
    )
    return list(rows)
