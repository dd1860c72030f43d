"""The operations on a server's files that the connector needs, below one resolved root."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from docfleet.connectors.filesystems.content import CHUNK_BYTES
from docfleet.connectors.filesystems.sftp.session import Session
from docfleet.connectors.paths import encode_name
from docfleet.core.errors import FileChanging, SourceUnavailable

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClientFile


class Attributes(NamedTuple):
    """``mode`` as of ``stat``, 0 where the server does not say."""

    mode: int
    size: int
    modified_at: float


class Tree:
    """Paths are bytes and absolute. The root is resolved at the first use. Methods raise as ``Session.call``."""

    def __init__(self, session: Session, root: str, address: str) -> None:
        self._session = session
        self._configured = os.fsencode(root)
        self._address = address
        self._root: bytes | None = None

    @property
    def root(self) -> bytes:
        """The resolved root. Raises ``FileNotFoundError`` when it does not exist."""
        if self._root is None:
            real = self.real(self._configured)
            self.attributes(real)
            self._root = real
        return self._root

    def make_root(self) -> None:
        """Create the root and the folders above it where they are missing."""
        try:
            _ = self.root
        except FileNotFoundError:
            self._session.call(lambda client: client.makedirs(self._configured, exist_ok=True))

    def show(self, path: bytes) -> str:
        """A path for people."""
        return f"{encode_name(os.fsdecode(path))} on {self._address}"

    def holds(self, real: bytes) -> bool:
        """Whether a resolved path is the root or below it."""
        return real == self.root or real.startswith(self.root.rstrip(b"/") + b"/")

    def real(self, path: bytes) -> bytes:
        """The path without links. Servers also resolve a path whose last name does not exist."""
        return self._session.call(lambda client: client.realpath(path))

    def attributes(self, path: bytes, *, follow: bool = True) -> Attributes:
        """Of the file there; of the link itself unless ``follow``."""
        call = self._session.call
        return _attributes(call(lambda client: client.stat(path) if follow else client.lstat(path)))

    def names(self, folder: bytes) -> Iterator[tuple[bytes, Attributes]]:
        """What a folder holds; links are not followed."""
        for entry in self._session.call(lambda client: client.readdir(folder)):
            name = os.fsencode(entry.filename)
            if name not in (b".", b".."):
                yield name, _attributes(entry.attrs)

    def mkdir(self, path: bytes) -> None:
        """Create one folder; none where one is."""
        try:
            self._session.call(lambda client: client.mkdir(path))
        except ConnectionError:
            raise
        except OSError:
            if not stat.S_ISDIR(self.attributes(path, follow=False).mode):
                raise

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        self._session.call(lambda client: client.remove(path))

    def rename(self, old: bytes, new: bytes) -> None:
        """In one step, over an earlier file. Raises ``OSError`` with ``ENOSYS`` where the server cannot."""
        self._session.call(lambda client: client.posix_rename(old, new))

    def rename_new(self, old: bytes, new: bytes) -> None:
        """In one step, where there is no file of the name ``new``; an ``OSError`` where there is one."""
        self._session.call(lambda client: client.rename(old, new))

    def open(self, path: bytes, shown: str) -> io.BufferedReader:
        """The content of a file, which is ``shown`` in errors."""
        file: SFTPClientFile = self._session.call(lambda client: client.open(path, "rb", encoding=None))
        return io.BufferedReader(_SftpContent(self._session, file, shown), CHUNK_BYTES)

    def create(self, path: bytes) -> _Upload:
        """A file that did not exist."""
        return _Upload(self._session, self._session.call(lambda client: client.open(path, "xb", encoding=None)))


class _Upload:
    def __init__(self, session: Session, file: SFTPClientFile) -> None:
        self._session = session
        self._file = file
        self._written = 0

    def write(self, chunk: bytes) -> None:
        self._session.call(lambda _: self._file.write(chunk, self._written), connect=False)
        self._written += len(chunk)

    def finish(self) -> None:
        """Have the server put it on its disk, where it can. Raises ``OSError`` when the size differs."""
        try:
            self._session.call(lambda _: self._file.fsync(), connect=False)
        except ConnectionError:
            raise
        except OSError:
            pass  # an extension of OpenSSH
        size = _attributes(self._session.call(lambda _: self._file.stat(), connect=False)).size
        self.close()
        if size != self._written:
            raise OSError(0, f"it holds {size} of {self._written} bytes")

    def close(self) -> None:
        self._session.call(lambda _: self._file.close(), connect=False)


class _SftpContent(io.RawIOBase):
    """At the end it is seen whether the file is still the one that was opened."""

    def __init__(self, session: Session, file: SFTPClientFile, shown: str) -> None:
        self._session = session
        self._file = file
        self._shown = shown
        self._position = 0
        self._before = self._state()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._request(lambda _: self._file.read(len(buffer), self._position))
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        if not chunk and ((now := self._state()) != self._before or self._position != now.size):
            raise FileChanging(f"file {self._shown} changed while it was read: run again when it is complete")
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            super().close()
            try:
                self._session.call(lambda _: self._file.close(), connect=False)
            except OSError:
                pass  # the connection is gone, and the file with it

    def _state(self) -> Attributes:
        return _attributes(self._request(lambda _: self._file.stat()))

    def _request(self, request: Any) -> Any:
        try:
            return self._session.call(request, connect=False)
        except ConnectionError as error:
            raise SourceUnavailable(f"file {self._shown} cannot be read to its end: {error}") from error


def _attributes(attributes: SFTPAttrs) -> Attributes:
    return Attributes(attributes.permissions or 0, attributes.size or 0, float(attributes.mtime or 0))
