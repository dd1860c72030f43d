"""The protocol of a storage, and the names of what lies in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from docfleet.core.errors import UnsafePath

DRAFT = ".draft-"
"""Begins the names of unfinished files of a folder. No key can have such a name."""
MAX_KEY_BYTES = 900
"""The limit of the object stores is 1,024, of which the prefix of the URL takes some."""

_NAME = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9_.-]{0,149}\Z")


class StoredObject(NamedTuple):
    """What a listing says of an object: ``size`` in bytes, ``modified_at`` in seconds since 1970 by the storage's
    clock."""

    key: str
    size: int
    modified_at: float


class Storage(Protocol):
    """Objects under keys, which all processes of a fleet see.

    A key is one or more names with slashes between them, and is never the folder of another key (``a`` and ``a/b``
    exclude each other). An object is there with all its content or not at all. Who reads one sees the content of one
    writer, also while it is replaced or deleted.

    Raises, besides what each method says: ``UnsafePath`` for a key that is none, ``ConfigurationError`` where a repeat
    cannot help (no such bucket, refused credentials), ``StorageUnavailable`` or ``MachineTrouble`` where it may.
    """

    url: str
    """For people: without credentials."""

    def open(self, key: str) -> BinaryIO:
        """The content, to be read from beginning to end and closed. Raises ``FileNotFoundError``."""

    def put(self, key: str, content: bytes, *, flush: bool = False) -> None:
        """Write an object, or replace it. With ``flush`` it survives a power cut from now on; in an object store it
        does in any case."""

    def put_if_absent(self, key: str, content: bytes, *, flush: bool = False) -> bool:
        """Write an object unless the key is taken. One of many racing writers gets True.

        False where the key is taken. It may be taken by this very content, when the answer to a first request was
        lost: a caller who has to know puts something unique into it and compares.
        """

    def list(self, folder: str = "") -> Iterator[StoredObject]:
        """The objects below a folder, at any depth, in no order; none where there is no such folder. What is written
        or deleted meanwhile is listed or not."""

    def delete(self, *keys: str) -> None:
        """Delete objects; harmless where they are gone."""

    def upload(self, path: Path, key: str, *, flush: bool = False) -> None:
        """Write the file at ``path`` as an object, or replace it. The file may not be written into afterwards: where it
        can, a folder makes a hard link. Raises ``FileNotFoundError``, and ``UnsafePath`` where it is no regular
        file."""

    def download(self, key: str, path: Path) -> None:
        """Write the object to ``path``, whose folder exists, complete or not at all. The file may not be written into:
        see ``upload``. Raises ``FileNotFoundError``."""


def check_key(key: str) -> str:
    """``key`` itself when it is one. Raises ``UnsafePath``."""
    if len(key) > MAX_KEY_BYTES:
        raise UnsafePath(f"not a key of the storage: {key[:80]!r}... has more than {MAX_KEY_BYTES} characters")
    for name in key.split("/"):
        if not _NAME.match(name) or name.startswith(DRAFT):
            raise UnsafePath(f"not a key of the storage: {key!r:.120}")
    return key


def check_folder(folder: str) -> str:
    """``folder`` itself when it is one, or empty. Raises ``UnsafePath``."""
    return check_key(folder) if folder else folder
