"""What the connectors of object stores share: they differ in their settings only.

A path is the key below the root. The root is the setting ``bucket`` (a bucket, or a bucket and a folder in it); without
one the first name of each path is the bucket, as in the original.

A file up to ``SINGLE_PUT_BYTES`` is written by one conditional request: only if the object is absent, or is still the
one that was looked at before the lease was checked. A larger one is uploaded in parts under a temporary key, and copied
to its own; a later attempt has removed that temporary object, so that a writer that was suspended copies nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, ClassVar, NamedTuple, cast

from docfleet.connectors.base import (
    ConnectorInfo,
    FileState,
    ForkGuard,
    Ignore,
    OnSkip,
    SourceEntry,
    WriteFence,
    optional_library,
)
from docfleet.connectors.filesystems.content import read_chunk
from docfleet.connectors.filesystems.objects.failures import (
    DENIED,
    NO_BUCKET,
    fault_of,
    listing_failure,
    reading_failure,
    writing_failure,
)
from docfleet.connectors.filesystems.objects.listing import Listing
from docfleet.connectors.filesystems.temporaries import is_temporary, temporaries_until, temporary_name
from docfleet.connectors.paths import decode_name, encode_name, file_parts, path_parts
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    DestinationRejected,
    DestinationUnavailable,
    DocfleetError,
    Fenced,
    FileMissing,
    SourceNotFound,
    SourceUnreadable,
    UnsafePath,
)
from docfleet.core.object_library import (
    CHUNK_BYTES,
    PAGE_KEYS,
    PART_BYTES,
    ObjectContent,
    library_errors,
    use_in_this_process,
)

SINGLE_PUT_BYTES = 8 << 20
MAX_KEY_BYTES = 1024
"""The limit of all three stores."""
_ROUNDS = 5


class _Place(NamedTuple):
    store: Any
    key: str
    shown: str


class ObjectFileSystem(ForkGuard):
    """A subclass gives ``info``, ``scheme`` and ``_make``."""

    info: ClassVar[ConnectorInfo]
    scheme: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = stored_settings(self.info, settings)
        super().__init__(self.info.short_name)
        self._root = path_parts(self._settings.get("bucket", "").strip("/"))
        self._stores: dict[str, Any] = {}

    def _make(self, bucket: str) -> Any:
        """The library's store of one bucket; nothing is contacted."""
        raise NotImplementedError

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``. Without the setting ``bucket`` there is nothing to look at before a path is
        known. Nothing is written: a permission to write is seen by the first write."""
        self._guard()
        if not self._root:
            return
        place = self._place("")
        if not write:
            self._first_page(place)
            return
        probe = "/".join(part for part in (place.key, temporary_name("probe", None)) if part)
        try:
            _library().get(place.store, probe)
        except library_errors() as error:
            reason = fault_of(error).reason
            is_absent = isinstance(error, FileNotFoundError) and reason != NO_BUCKET
            # Credentials that may only write are answered by 403 for an absent object.
            if not is_absent and reason != DENIED:
                raise writing_failure(place.shown, error) from None

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. Files come in the store's order of keys. The markers of folders are no files."""
        self._guard()
        place = self._place(folder.lstrip("/"), SourceUnreadable)
        shown = encode_name("/".join(path_parts(folder.lstrip("/"))))

        def pages(prefix: str, offset: str | None) -> Iterator[Sequence[Any]]:
            try:
                yield from _library().list(place.store, prefix or None, offset=offset, chunk_size=PAGE_KEYS)
            except library_errors() as error:
                raise listing_failure(place.shown, error) from None

        def exists(key: str) -> bool:
            return self._head(_Place(place.store, key, f"{place.shown}: {key}")) is not None

        levels = max_depth if recursive else 1
        listing = Listing(pages, exists, place.key, shown, levels, on_skip, is_temporary, ignore)
        entries = listing.files(report_depth=recursive)
        next(entries)
        if not listing.has_objects and place.key:
            if self._head(place) is not None:
                raise SourceUnreadable(f"source {place.shown} is not a folder: name the folder that holds the files")
            raise SourceNotFound(
                f"source folder {place.shown} does not exist: no key begins with it; correct it, or put an object there"
            )
        return (entry for entry in entries if entry is not None)

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``. The content is that of one version of the object."""
        self._guard()
        place = self._place(path)
        try:
            answer = _library().get(place.store, place.key)
            chunks = iter(answer.stream(min_chunk_size=CHUNK_BYTES))
        except library_errors() as error:
            raise reading_failure(place.shown, error) from None
        raw = ObjectContent(chunks, answer.meta["size"], partial(reading_failure, place.shown))
        return cast("BinaryIO", io.BufferedReader(raw, CHUNK_BYTES))

    def state(self, path: str) -> FileState:
        """See ``FileSystemConnector``. An object is complete from the start."""
        self._guard()
        place = self._place(path)
        if (meta := self._head(place)) is None:
            raise FileMissing(f"{place.shown} is no longer there: it was moved or deleted; send it again")
        return FileState(meta["size"], meta["last_modified"].timestamp())

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``. Returns an (encoded) URL, as ``s3://bucket/key``."""
        self._guard()
        place = self._target(path)
        with _writing(place):
            if fence is not None and fence.attempt > 1:
                self._remove_temporaries(place, fence)
            beginning = read_chunk(source, SINGLE_PUT_BYTES + 1)
            if len(beginning) <= SINGLE_PUT_BYTES:
                _put(place, beginning, fence)
            else:
                _put_parts(place, _chunks(beginning, source), fence)
        return place.shown

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``."""
        self._guard()
        place = self._target(path)
        fence.require()
        with _writing(place):
            self._remove_temporaries(place, fence)
            if (current := _current(place)) is None or current[1] != digest:
                return False
            fence.require()
            _delete(place.store, [place.key])
        return True

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``."""
        self._guard()
        start = f"{self.scheme}://"
        parts = tuple(decode_name(part) for part in location.removeprefix(start).split("/"))
        if not location.startswith(start) or parts[: len(self._root)] != self._root:
            raise FileMissing(f"{location} is not in this bucket: the destination's settings were changed since")
        return encode_name("/".join(parts[len(self._root) :]))

    def close(self) -> None:
        """See ``FileSystemConnector``."""
        self._guard()
        self._stores.clear()

    def _target(self, path: str) -> _Place:
        file_parts(path)
        place = self._place(path, DestinationRejected)
        if not place.key:
            raise DestinationRejected(
                f"{place.shown} is a bucket: set the bucket, or an output folder that begins with it"
            )
        if len(place.key.encode()) > MAX_KEY_BYTES:
            raise DestinationRejected(
                f"{place.shown[:80]}... cannot be written: its key has more than {MAX_KEY_BYTES} bytes; "
                "shorten the output folder or the names of the files"
            )
        return place

    def _place(self, path: str, no_bucket: type[DocfleetError] = FileMissing) -> _Place:
        parts = (*self._root, *path_parts(path))
        if not parts:
            raise no_bucket("no bucket is named: set the field bucket, or begin the folder with the bucket's name")
        bucket, *names = parts
        key = "/".join(names)
        shown = f"{self.scheme}://{encode_name('/'.join(parts))}"
        if not key.isprintable() and any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in key):
            raise UnsafePath(f"{shown} holds a control character, which the key of an object cannot have: rename it")
        if any(0xD800 <= ord(letter) < 0xE000 for letter in key):
            raise UnsafePath(f"{shown} is not valid Unicode, which the key of an object has to be: rename it")
        return _Place(self._store(bucket), key, shown)

    def _store(self, bucket: str) -> Any:
        use_in_this_process()
        if bucket not in self._stores:
            with optional_library(self.info):
                self._stores[bucket] = self._make(bucket)
        return self._stores[bucket]

    def _first_page(self, place: _Place) -> None:
        try:
            next(iter(_library().list(place.store, place.key or None, chunk_size=1)), None)
        except library_errors() as error:
            raise listing_failure(place.shown, error) from None

    def _head(self, place: _Place) -> Any:
        """What the store says about an object; None where there is none."""
        try:
            return _library().head(place.store, place.key)
        except FileNotFoundError:
            return None
        except library_errors() as error:
            raise reading_failure(place.shown, error) from None

    def _remove_temporaries(self, place: _Place, fence: WriteFence) -> None:
        folder, slash, name = place.key.rpartition("/")
        _delete(place.store, [f"{folder}{slash}{temporary}" for temporary in temporaries_until(name, fence)])


def _library() -> Any:
    import obstore

    return obstore


def _put(place: _Place, content: bytes, fence: WriteFence | None) -> None:
    obs = _library()
    mode: Any = "create"
    for _ in range(_ROUNDS):
        if fence is not None:
            fence.require()
        try:
            obs.put(place.store, place.key, content, mode=mode, use_multipart=False)
            return
        except (obs.exceptions.AlreadyExistsError, obs.exceptions.PreconditionError, FileNotFoundError) as error:
            current = _current(place)
            if isinstance(error, FileNotFoundError) and (current is None and mode == "create"):
                raise
        if current is not None and current[1] == hashlib.sha256(content).hexdigest():
            return
        meta = current[0] if current is not None else {}
        mode = {name: meta[name] for name in ("e_tag", "version") if meta.get(name)} or "create"
    raise DestinationUnavailable(f"{place.shown} is written by others all the time: run again")


def _put_parts(place: _Place, chunks: Iterator[bytes], fence: WriteFence | None) -> None:
    obs = _library()
    folder, slash, name = place.key.rpartition("/")
    temporary = f"{folder}{slash}{temporary_name(name, fence)}"
    try:
        obs.put(place.store, temporary, chunks, chunk_size=PART_BYTES, max_concurrency=2)
        if fence is not None:
            fence.require()
        try:
            obs.copy(place.store, temporary, place.key)
        except FileNotFoundError:
            if fence is None:
                raise
            raise Fenced(f"a later attempt than {fence.attempt} has taken over {place.shown}") from None
    finally:
        with suppress(*library_errors()):  # the next attempt removes it
            _delete(place.store, [temporary])


def _chunks(beginning: bytes, source: BinaryIO) -> Iterator[bytes]:
    yield beginning
    while chunk := read_chunk(source):
        yield chunk


def _current(place: _Place) -> tuple[Any, str] | None:
    """What the store says about the object, and the SHA-256 of its content; None where there is none."""
    try:
        answer = _library().get(place.store, place.key)
    except FileNotFoundError:
        return None
    digest = hashlib.sha256()
    for chunk in answer.stream(min_chunk_size=CHUNK_BYTES):
        digest.update(chunk)
    return answer.meta, digest.hexdigest()


def _delete(store: Any, keys: list[str]) -> None:
    for key in keys:
        with suppress(FileNotFoundError):
            _library().delete(store, key)


@contextmanager
def _writing(place: _Place) -> Iterator[None]:
    try:
        yield
    except library_errors() as error:
        raise writing_failure(place.shown, error) from None
