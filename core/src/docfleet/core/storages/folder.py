"""A storage in a folder that all processes share."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from docfleet.core.errors import StorageUnavailable, UnsafePath
from docfleet.core.machine import machine_trouble
from docfleet.core.storages.base import DRAFT, StoredObject, check_folder, check_key

_TRIES = 100
"""How often a folder is made that another process removes because it is empty."""
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES}
"""Another file system, one without hard links, or a file with as many as there can be."""


class FolderStorage:
    """See ``Storage``. An object is a file. It is written under a draft's name beside its own and renamed."""

    def __init__(self, root: Path) -> None:
        """``root`` is absolute; it is made with the first object."""
        self.url = root.as_uri()
        self._root = str(root)

    def open(self, key: str) -> BinaryIO:
        """See ``Storage``."""
        with _failing(self.url):
            return Path(self._path(key)).open("rb")

    def put(self, key: str, content: bytes, *, flush: bool = False) -> None:
        """See ``Storage``."""
        self._write(key, lambda draft: _write(draft, [content], flush), _replace, flush)

    def put_if_absent(self, key: str, content: bytes, *, flush: bool = False) -> bool:
        """See ``Storage``."""
        # A rename replaces, a link does not.
        return self._write(key, lambda draft: _write(draft, [content], flush), _link_if_absent, flush)

    def list(self, folder: str = "") -> Iterator[StoredObject]:
        """See ``Storage``."""
        start = f"{check_folder(folder)}/" if folder else ""
        return self._walk(start)

    def delete(self, *keys: str) -> None:
        """See ``Storage``. Folders that are empty then go, too."""
        with _failing(self.url):
            for path in [self._path(key) for key in keys]:
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108
                parent = os.path.dirname(path)  # noqa: PTH120
                with suppress(OSError):
                    while len(parent) > len(self._root):
                        os.rmdir(parent)  # noqa: PTH106
                        parent = os.path.dirname(parent)  # noqa: PTH120

    def upload(self, path: Path, key: str, *, flush: bool = False) -> None:
        """See ``Storage``."""

        def draw(draft: Path) -> None:
            _link_or_copy(path, draft)
            if flush:
                _flush(draft)

        self._path(key)
        with _failing(self.url):
            read_regular(path).close()
        self._write(key, draw, _replace, flush)

    def download(self, key: str, path: Path) -> None:
        """See ``Storage``."""
        source = Path(self._path(key))
        with _failing(self.url), _draft(path) as draft:
            _link_or_copy(source, draft)
            _replace(draft, path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _write(self, key: str, draw: Callable[[Path], None], place: Callable[[Path, Path], bool], flush: bool) -> bool:
        path = Path(self._path(key))
        with _failing(self.url):
            for _ in range(_TRIES):
                try:
                    _make(path.parent)
                    with _draft(path) as draft:
                        draw(draft)
                        placed = place(draft, path)
                        if placed and flush:
                            _flush_folders(path.parent, Path(self._root))
                        return placed
                except FileNotFoundError:  # the end of another execution removed the folder
                    continue
        raise StorageUnavailable(f"{self.url}: the folder of {key} is removed all the time: run again")

    def _walk(self, start: str) -> Iterator[StoredObject]:
        with _failing(self.url):
            try:
                entries = list(os.scandir(f"{self._root}/{start}"))
            except FileNotFoundError:
                return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(f"{start}{entry.name}/")
            elif not entry.name.startswith(DRAFT) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    state = entry.stat(follow_symlinks=False)
                    yield StoredObject(f"{start}{entry.name}", state.st_size, state.st_mtime)


def read_regular(path: Path) -> BinaryIO:
    """The file at ``path``, opened. Raises ``FileNotFoundError``, and ``UnsafePath`` for a link, a pipe, a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePath(f"{path.name} is a symbolic link, which no storage takes") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafePath(f"{path.name} is not a regular file, which no storage takes")
    return os.fdopen(descriptor, "rb")


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write ``chunks`` to ``path``, all or nothing. Raises ``MachineTrouble``, ``OSError``."""
    try:
        with _draft(path) as draft:
            _write(draft, chunks, flush=False)
            _replace(draft, path)
    except OSError as error:
        raise machine_trouble(error) or error from None


def _make(folder: Path) -> None:
    """Raises ``FileNotFoundError`` also where ``folder`` was there and was removed meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        if not folder.is_dir() and folder.exists():
            raise
        raise FileNotFoundError(str(folder)) from None


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    draft = path.with_name(f"{DRAFT}{uuid.uuid4().hex}")
    try:
        yield draft
    finally:
        # Also after a rename: one onto a link of the same file does nothing.
        draft.unlink(missing_ok=True)


def _write(draft: Path, chunks: Iterable[bytes], flush: bool) -> None:
    with draft.open("xb") as stream:
        for chunk in chunks:
            stream.write(chunk)
        if flush:
            stream.flush()
            os.fsync(stream.fileno())


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        with read_regular(source) as content, target.open("xb") as stream:
            shutil.copyfileobj(content, stream, 1 << 20)


def _replace(draft: Path, path: Path) -> bool:
    draft.replace(path)
    return True


def _link_if_absent(draft: Path, path: Path) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folders(folder: Path, root: Path) -> None:
    """The names of new folders have to survive, too."""
    _flush(folder)
    while folder != root:
        folder = folder.parent
        _flush(folder)


@contextmanager
def _failing(url: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise machine_trouble(error) or StorageUnavailable(
            f"{url} does not take or give the file ({error.strerror or type(error).__name__}): "
            "check the folder and its permissions"
        ) from error
