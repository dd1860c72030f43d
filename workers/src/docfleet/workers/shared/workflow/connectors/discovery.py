"""Discovery: a source connector's listing as a stream of ``FileHashData``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
import structlog

from docfleet.connectors.base import FileSystemConnector, SourceEntry
from docfleet.core import file_patterns
from docfleet.core.batch_calls import LeftOut
from docfleet.core.errors import ConfigurationError
from docfleet.core.file_patterns import SYSTEM_FILES, ignored, name_filter
from docfleet.core.files import FileHashData
from docfleet.workers.shared.workflow.connectors.stillness import Stillness

log = structlog.get_logger()


class SourceOptions(msgspec.Struct, frozen=True, rename="camel"):
    """Options of a source endpoint. ``None`` means no limit; ``max_depth`` 1 is a listed folder itself."""

    folders: list[str] = []
    file_extensions: list[str] = []
    ignore_names: list[str] = msgspec.field(default_factory=lambda: [SYSTEM_FILES])
    process_sub_directories: bool = False
    max_files: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_depth: Annotated[int, msgspec.Meta(ge=1)] | None = None
    file_processing_order: Literal["unordered", "oldest_first", "newest_first"] = "unordered"

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SourceOptions:
        """Read the endpoint's configuration; keys may be camelCase or snake_case.

        Raises ``ConfigurationError`` naming the option.
        """
        fields = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
        known = {fields.get(key, key): value for key, value in settings.items() if value is not None}
        try:
            options = msgspec.convert({name: known[name] for name in fields.values() if name in known}, cls)
            file_patterns.check("fileExtensions", options.file_extensions)
            file_patterns.check("ignoreNames", options.ignore_names)
            return options
        except ValueError as error:
            raise ConfigurationError(f"the source's options are not valid: {error}") from error


def discover(
    connector: FileSystemConnector,
    options: SourceOptions,
    connector_id: str | None,
    left_out: LeftOut,
    still_seconds: float = 0.0,
) -> Iterator[FileHashData]:
    """The files of all folders that match, in the requested order; each was not written for ``still_seconds``.
    ``left_out`` gets every other entry, but for files whose names do not match. Raises ``SourceError``: a listing that
    fails is never a short list."""
    entries = _entries(connector, options, left_out, Stillness(connector, still_seconds))
    if options.file_processing_order != "unordered":
        # An order by time needs the complete listing; only the entries are held, never the files.
        newest = options.file_processing_order == "newest_first"
        entries = iter(sorted(entries, key=lambda entry: (entry.modified_at, entry.path), reverse=newest))
    for entry in entries:
        yield FileHashData(
            file_name=entry.name,
            file_path=entry.path,
            file_size=entry.size,
            provider_file_uuid=entry.provider_file_uuid,
            fs_metadata={**entry.fs_metadata, "modified_at": entry.modified_at},
            source_connection_type="FILESYSTEM",
            connector_id=connector_id,
        )


def _entries(
    connector: FileSystemConnector, options: SourceOptions, left_out: LeftOut, stillness: Stillness
) -> Iterator[SourceEntry]:
    def note(path: str, reason: str) -> None:
        if left_out.note(path, reason):  # a million pipes are not a million lines
            log.warning("source.entry_skipped", path=path, reason=reason)

    recursive = options.process_sub_directories
    wanted = name_filter(options.file_extensions)
    for folder in _outermost(options.folders or ["/"], recursive=recursive):
        entries = connector.list_files(
            folder.strip("/"),
            recursive=recursive,
            max_depth=options.max_depth,
            on_skip=note,
            ignore=ignored(options.ignore_names),
        )
        yield from stillness.still((entry for entry in entries if wanted(entry.name)), note)


def _outermost(folders: list[str], *, recursive: bool) -> list[str]:
    """Each folder once; in a recursive listing also without those inside another one."""
    unique = list(dict.fromkeys(str(PurePosixPath("/") / folder.strip("/")) for folder in folders))
    if not recursive:
        return unique
    return [
        folder
        for folder in unique
        if not any(other != folder and PurePosixPath(folder).is_relative_to(other) for other in unique)
    ]
