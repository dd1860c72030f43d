"""A listing of a bucket as a stream of files.

A bucket has keys, no folders. A folder is what stands before a slash. The library lists keys in one request per
thousand, deeper ones included: behind a page of keys that are left out, the listing begins again after their folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from docfleet.connectors.base import Ignore, OnSkip, SourceEntry
from docfleet.connectors.paths import MAX_NAME_BYTES, encode_name
from docfleet.core.object_library import PAGE_KEYS
from docfleet.core.status import SkipReason

_LAST = "\U0010ffff"
"""Sorts behind every other name."""

Pages = Callable[[str, str | None], Iterator[Sequence[Any]]]
"""Gives the objects below a prefix, behind a key, in pages."""


class Listing:
    """One listing of the folder ``folder``, whose path for the user is ``shown`` (both without slashes at the ends)."""

    def __init__(
        self,
        pages: Pages,
        exists: Callable[[str], bool],
        folder: str,
        shown: str,
        levels: int | None,
        on_skip: OnSkip | None,
        hidden: Callable[[str], bool],
        ignore: Ignore | None,
    ) -> None:
        """``on_skip`` gets what is too deep only where ``levels`` is not the user's "not recursive"."""
        self._pages = pages
        self._exists = exists
        self._folder = folder
        self._shown = shown
        self._levels = levels
        self._on_skip = on_skip
        self._hidden = hidden
        self._ignore = ignore
        self._left_out: str | None = None
        self._empty: set[str] = set()
        self.has_objects = False

    def files(self, report_depth: bool) -> Iterator[SourceEntry | None]:
        """The files; first of all one None, once the first page is there."""
        offset: str | None = None
        is_first = True
        while True:
            passed = 0
            offset_now, offset = offset, None
            for page in self._pages(self._folder, offset_now):
                self.has_objects = self.has_objects or bool(page)
                if is_first:
                    is_first = False
                    yield None
                for meta in page:
                    if self._is_left_out(meta["path"]):
                        passed += 1
                        continue
                    passed = 0
                    if (entry := self._entry(meta, report_depth)) is not None:
                        yield entry
                if passed >= PAGE_KEYS and self._left_out is not None:
                    offset = f"{self._left_out}/{_LAST}"
                    break
            if is_first:
                is_first = False
                yield None
            if offset is None:
                return

    def _is_left_out(self, key: str) -> bool:
        return self._left_out is not None and key.startswith(f"{self._left_out}/")

    def _entry(self, meta: Any, report_depth: bool) -> SourceEntry | None:
        key: str = meta["path"]
        relative = key[len(self._folder) + 1 :] if self._folder else key
        if not relative:
            return None  # the marker of the folder itself
        names = relative.split("/")
        if self._hidden(names[-1]):
            return None
        for depth, name in enumerate(names, start=1):
            is_file = depth == len(names)
            if self._ignore is not None and self._ignore(encode_name(name)):
                self._skip(names[:depth], SkipReason.NO_DOCUMENT, is_file)
                return None
            if not is_file and self._levels is not None and depth >= self._levels:
                self._skip(names[:depth], SkipReason.TOO_DEEP if report_depth else None, is_file)
                return None
        if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
            self._skip(names, SkipReason.PATH_TOO_LONG, is_file=True)
            return None
        if meta["size"] == 0 and self._is_marker(key):
            return None
        return SourceEntry(
            path="/".join(part for part in (self._shown, *map(encode_name, names)) if part),
            name=encode_name(names[-1]),
            size=meta["size"],
            modified_at=meta["last_modified"].timestamp(),
            provider_file_uuid=identity(meta),
            fs_metadata={name: meta[name] for name in ("e_tag", "version") if meta.get(name)},
        )

    def _is_marker(self, key: str) -> bool:
        """The library shows the marker ``folder/`` as ``folder``: then there is no object of that key, or it is
        shown twice."""
        if key in self._empty or not self._exists(key):
            return True
        self._empty.add(key)
        return False

    def _skip(self, names: list[str], reason: SkipReason | None, is_file: bool) -> None:
        path = "/".join(names)
        if not is_file:
            self._left_out = f"{self._folder}/{path}" if self._folder else path
        if self._on_skip is not None and reason is not None:
            shown = encode_name(path)
            self._on_skip(f"{self._shown}/{shown}" if self._shown else shown, reason)


def identity(meta: Any) -> str | None:
    """What a store says about the content of an object: its version (generation), else its ETag."""
    value = meta.get("version") or meta.get("e_tag")
    return str(value).strip('"') if value else None
