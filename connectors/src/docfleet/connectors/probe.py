"""Tests the settings of a connector against the real source or destination, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Annotated, Any

import msgspec

from docfleet.connectors.base import (
    ConnectorInfo,
    ConnectorMode,
    DatabaseConnector,
    FileSystemConnector,
    WriteFence,
    missing_library,
    table_settings,
)
from docfleet.connectors.catalogue import missing_libraries
from docfleet.connectors.paths import safe_join
from docfleet.connectors.registry import connector_info, open_database, open_file_system
from docfleet.connectors.settings import connector_settings
from docfleet.core.errors import ConfigurationError, DestinationRejected, DocfleetError, SourceNotFound
from docfleet.core.management.connectors import ConnectorTestResult, Direction, ProbeStep

PAGE = 100
"""The files of a source that are listed: what lies behind them is not looked at."""
_FIRST_BYTES = 1024
_MIN_SECRET = 4

type _Step = tuple[str, Callable[[], str]]


def probe(
    connector: str, settings: Mapping[str, Any], direction: Direction, configuration: Mapping[str, Any]
) -> ConnectorTestResult:
    """Try the connector as ``direction``, step by step up to the first that fails.

    A source is listed, and its first file opened. A destination gets one file, which is removed again, or one row in a
    table of its own, which is dropped again. ``configuration`` holds ``folders``, ``outputFolder`` or ``table``.

    Raises ``ConfigurationError`` for an unknown connector, a wrong field, a missing library, or a direction that the
    connector does not have.
    """
    info = connector_info(connector)
    _check_direction(info, direction)
    values = connector_settings(info, settings)
    for library in missing_libraries(info):
        raise missing_library(info, library)
    if info.mode is ConnectorMode.DATABASE:
        steps = _database(open_database(connector, values), configuration)
    else:
        files = open_file_system(connector, values)
        is_source = direction == "source"
        steps = _source(files, _listing(configuration)) if is_source else _folder(files, info, configuration)
    hidden = [str(values[field]) for field in info.secrets if len(str(values.get(field, ""))) >= _MIN_SECRET]
    done = list(_run(steps, hidden))
    return ConnectorTestResult(info.short_name, direction, all(step.ok for step in done), done)


def directions(connector: str) -> tuple[Direction, ...]:
    """What a connector can be used as. Raises ``ConfigurationError`` when it is unknown."""
    info = connector_info(connector)
    is_source = info.can_read and info.mode is ConnectorMode.FILESYSTEM
    uses: tuple[tuple[Direction, bool], ...] = (("source", is_source), ("destination", info.can_write))
    return tuple(direction for direction, can in uses if can)


def _check_direction(info: ConnectorInfo, direction: Direction) -> None:
    if direction in directions(info.connector_id):
        return
    if direction == "source":
        raise ConfigurationError(f"connector {info.short_name} is no source of files: use it as a destination")
    raise ConfigurationError(f"connector {info.short_name} only reads: use it as a source")


def _run(steps: Generator[_Step], hidden: list[str]) -> Iterator[ProbeStep]:
    for name, step in steps:
        try:
            yield ProbeStep(name, True, step())
        except DocfleetError as error:
            message = error.message
            for secret in hidden:
                message = message.replace(secret, "***")
            yield ProbeStep(name, False, message, error.code)
            break
    steps.close()


class _Listing(msgspec.Struct, rename="camel"):
    """What of a source's configuration says which files are listed."""

    folders: list[str] = msgspec.field(default_factory=lambda: ["/"])
    process_sub_directories: bool = True
    max_depth: Annotated[int, msgspec.Meta(ge=1)] | None = None


def _listing(configuration: Mapping[str, Any]) -> _Listing:
    try:
        return msgspec.convert({key: value for key, value in configuration.items() if value is not None}, _Listing)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the source's options are not valid: {error}") from error


def _source(files: FileSystemConnector, listing: _Listing) -> Generator[_Step]:
    first: list[str] = []

    def connect() -> str:
        files.check()
        return "the source answers"

    def list_page(folder: str) -> str:
        found = files.list_files(folder, recursive=listing.process_sub_directories, max_depth=listing.max_depth)
        entries = list(islice(found, PAGE))
        first.extend(entry.path for entry in entries[:1])
        names = ", ".join(entry.path for entry in entries[:3])
        count = f"{len(entries)} or more files" if len(entries) == PAGE else f"{len(entries)} files"
        return f"{folder}: {count}{f' ({names}, ...)' if len(entries) > 3 else f' ({names})' if names else ''}"

    def read_first() -> str:
        with files.open(first[0]) as content:
            size = len(content.read(_FIRST_BYTES))
        return f"{first[0]}: the first {size} bytes" if size else f"{first[0]}: empty"

    try:
        yield "connect", connect
        for folder in listing.folders:
            yield "list", partial(list_page, folder)
        if first:
            yield "read", read_first
    finally:
        files.close()


def _folder(files: FileSystemConnector, info: ConnectorInfo, configuration: Mapping[str, Any]) -> Generator[_Step]:
    name = f"docfleet-probe-{secrets.token_hex(8)}.txt"
    path = safe_join(str(configuration.get("outputFolder") or "/"), name)
    content = f"Written by a test of a Docfleet connector; it may be deleted. {name}\n".encode()
    fence = WriteFence(file_execution_id=name, attempt=1, require=lambda: None)

    is_there = written = removed = False

    def connect() -> str:
        nonlocal is_there
        files.check(write=True)
        is_there = not info.can_read or _exists(files)
        return "the destination answers" if is_there else "the folder is not there yet; the first delivery makes it"

    def write() -> str:
        nonlocal written
        location = files.write_file(path, io.BytesIO(content), fence)
        written = True
        return f"{location} was written"

    def read_back() -> str:
        with files.open(path) as stored:
            if stored.read() != content:
                raise DestinationRejected(f"{path} holds another content than was written: is the store consistent?")
        return f"{path} holds what was written"

    def remove() -> str:
        nonlocal removed
        removed = True
        if not files.withdraw_file(path, hashlib.sha256(content).hexdigest(), fence):
            raise DestinationRejected(f"{path} was written and is not there any more: does something move new files?")
        return f"{path} was deleted"

    try:
        yield "connect", connect
        if is_there:
            yield "write", write
            if info.can_read:
                yield "read", read_back
            yield "delete", remove
    finally:
        if written and not removed:
            with suppress(DocfleetError):  # the step that failed before says why
                remove()
        files.close()


def _exists(files: FileSystemConnector) -> bool:
    try:
        files.check()
    except SourceNotFound:
        return False
    return True


def _database(database: DatabaseConnector, configuration: Mapping[str, Any]) -> Generator[_Step]:
    target = table_settings(configuration)

    def connect() -> str:
        database.check()
        return "the database answers"

    def read() -> str:
        rows = database.read_rows(target, 1)
        return f"table {target.table} has rows" if rows else f"table {target.table} has no rows, or is not there yet"

    def write() -> str:
        if database.probe(target):
            return "a table was made, filled, read and dropped again"
        return "the database is not there yet; the first delivery makes it"

    try:
        yield "connect", connect
        yield "read", read
        yield "write", write
    finally:
        database.close()
