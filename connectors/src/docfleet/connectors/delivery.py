"""Copying the files a tool wrote to a file system destination.

The name of a delivered file is a function of the source file and the output alone, so a repeated delivery lands
on the same name, and two source files never share one, even at the same time:

* an output named like its source keeps its folders: ``invoice.json`` of ``invoice.pdf`` becomes
  ``invoice-<tag>.json``, and ``paid/invoice.pdf`` becomes ``paid/invoice-<tag>.pdf``;
* every other output becomes ``invoice-<tag>/<its path>``. So does one in a folder that ends like a tag: the
  first part of a path then distinguishes the two forms, and two sources never collide.

``<tag>`` is 12 base32 characters (60 bits) of the SHA-256 of the caller's ``key``. It is always added; "only when
the name is taken" would depend on which file is delivered first. The caller guarantees distinct keys: with a key of the
file execution every execution has its own outputs, with a key of the source path a later execution replaces them.

Several files cannot be written in one step. Each attempt therefore notes, in a folder that the attempts share, which
files it is about to write and their digests. A later attempt removes those that it does not write itself, if their
content is still the noted one. Nothing else in the destination is ever removed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from docfleet.connectors.base import FileSystemConnector, WriteFence
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.paths import (
    MAX_NAME_BYTES,
    decode_name,
    encode_name,
    path_parts,
    safe_join,
    shorten_name,
)
from docfleet.core.errors import FileMissing, SourceNotFound, ToolResultInvalid
from docfleet.core.status import SkipReason

_TAGGED = re.compile(r".*-[a-z2-7]{12}", re.DOTALL)
# An extension holds no "-": the text after the last "-" is the tag, so tags are unambiguous.
_EXTENSION = re.compile(r"[A-Za-z0-9_]{1,16}")
_MAX_DEPTH = 64
_UNDELIVERABLE = {
    SkipReason.TOO_DEEP: f"more than {_MAX_DEPTH} folder levels deep",
    SkipReason.LISTED_ALREADY: "a link to a folder that is delivered already",
    SkipReason.BROKEN_LINK: "a link to nothing",
    SkipReason.LINK_OUTSIDE: "a link out of the folder of output files",
    SkipReason.NOT_A_FILE: "a device, a pipe or a socket",
    SkipReason.PATH_TOO_LONG: "a path longer than the system allows",
}
_CHUNK_BYTES = 1 << 20


class DeliveredFiles(msgspec.Struct, frozen=True):
    """``locations`` in name order, and the SHA-256 of what is in them (``combined_digest``)."""

    locations: list[str]
    digest: str


def deliver_files(
    connector: FileSystemConnector,
    outputs: Path,
    output_folder: str,
    key: str,
    source_name: str | None = None,
    fence: WriteFence | None = None,
    notes: Path | None = None,
) -> DeliveredFiles:
    """Copy every file below the local folder ``outputs``. Without outputs there are no locations.

    ``output_folder`` is relative to the connector's root (``/`` is the root itself). ``source_name`` is the
    source file's name; without it every output is treated as named like its source. ``notes`` is the local folder
    that all attempts at this file share; it goes with ``fence``.
    Raises ``FileMissing`` when ``outputs`` does not exist, ``ToolResultInvalid`` when it holds what cannot be
    delivered (a link out of it, a device), and what the connector raises, including ``Fenced``.
    """
    local = LocalFileSystem({"path": str(outputs)})
    try:
        entries = list(local.list_files(recursive=True, max_depth=_MAX_DEPTH, on_skip=_refuse))
    except SourceNotFound as error:
        raise FileMissing("the folder of output files does not exist: run the file again") from error
    targets = {entry.path: safe_join(output_folder, output_path(entry.path, key, source_name)) for entry in entries}
    digests = {}
    for path in targets:
        with local.open(path) as content:
            digests[path] = content_digest(content)
    if fence is not None and notes is not None:
        _note(notes, fence, {target: digests[path] for path, target in targets.items()})
    locations = []
    for path, target in targets.items():
        with local.open(path) as content:
            locations.append(connector.write_file(target, content, fence))
    if fence is not None and notes is not None:
        _withdraw(connector, fence, notes, keep=set(targets.values()))
    return DeliveredFiles(locations, combined_digest(digests.values()))


def withdraw_files(connector: FileSystemConnector, fence: WriteFence, notes: Path) -> None:
    """Remove what this and earlier attempts have delivered: the file has failed. Raises what the connector raises."""
    _withdraw(connector, fence, notes, keep=set())


def content_digest(content: BinaryIO) -> str:
    """SHA-256 (hex) of the rest of a file."""
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def combined_digest(digests: Iterable[str]) -> str:
    """One SHA-256 (hex) for the files of a delivery, from those of their contents in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _note(notes: Path, fence: WriteFence, planned: dict[str, str]) -> None:
    path = _note_path(notes, fence, fence.attempt)
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(msgspec.json.encode(planned))
    temporary.replace(path)


def _withdraw(connector: FileSystemConnector, fence: WriteFence, notes: Path, keep: set[str]) -> None:
    for attempt in range(1, fence.attempt + 1):
        try:
            noted = msgspec.json.decode(_note_path(notes, fence, attempt).read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            continue
        for target, digest in noted.items():
            if target not in keep:
                connector.withdraw_file(target, digest, fence)


def _note_path(notes: Path, fence: WriteFence, attempt: int) -> Path:
    return notes / f"{fence.file_execution_id}.{attempt}.outputs"


def output_path(path: str, key: str, source_name: str | None = None) -> str:
    """The target of the output ``path`` (relative, encoded), relative to the output folder."""
    *folders, name = path_parts(path)
    tag = _tag(key)
    stem, suffix = _split(name)
    source = _split(decode_name(source_name))[0] if source_name is not None else stem
    named_alike = source_name is None or stem == source
    if any(_TAGGED.fullmatch(folder) for folder in folders):
        named_alike = False
    # Without a suffix the file would have the name of the folder that holds the other outputs.
    if named_alike and (suffix or source_name is None):
        room = MAX_NAME_BYTES - len(tag) - 1 - len(suffix.encode("utf-8", "surrogateescape"))
        return encode_name("/".join((*folders, f"{_fit(stem, room)}-{tag}{suffix}")))
    base = f"{_fit(source, MAX_NAME_BYTES - len(tag) - 1)}-{tag}"
    return encode_name("/".join((base, *folders, name)))


def _tag(key: str) -> str:
    return _digest(key, 12)


def _digest(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return base64.b32encode(digest).decode("ascii")[:length].lower()


def _split(name: str) -> tuple[str, str]:
    """``invoice.pdf`` as ``invoice`` and ``.pdf``; an unusual "extension" is part of the name."""
    stem, dot, extension = name.rpartition(".")
    if not stem or not _EXTENSION.fullmatch(extension):
        return name, ""
    return stem, dot + extension


def _fit(stem: str, room: int) -> str:
    """``stem`` when it fits; else its beginning and a digest, so that two long names stay two."""
    if len(stem.encode("utf-8", "surrogateescape")) <= room:
        return stem
    return f"{shorten_name(stem, room - 9)}-{_digest(stem, 8)}"


def _refuse(path: str, reason: SkipReason) -> None:
    raise ToolResultInvalid(f"the tool's output {path} cannot be delivered: it is {_UNDELIVERABLE[reason]}")
