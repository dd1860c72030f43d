"""Files of web servers as a source: an index page with its folders, or a list of URLs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, NoReturn, cast
from urllib.parse import urlsplit

from docfleet.connectors.base import (
    ConnectorInfo,
    ConnectorMode,
    FileState,
    ForkGuard,
    Ignore,
    OnSkip,
    SourceEntry,
    WriteFence,
    optional_library,
)
from docfleet.connectors.filesystems.content import CHUNK_BYTES
from docfleet.connectors.filesystems.http.answers import HttpContent, modified_at_of, size_of, stamp_of
from docfleet.connectors.filesystems.http.index import links
from docfleet.connectors.filesystems.http.urls import checked_url, listed, quoted
from docfleet.connectors.paths import encode_name, path_parts
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
)
from docfleet.core.status import SkipReason

if TYPE_CHECKING:
    import requests

    from docfleet.connectors.filesystems.http.client import Client

_MAX_INDEX_BYTES = 16 << 20
_MB = 1 << 20


class HttpFileSystem(ForkGuard):
    """Read only. ``provider_file_uuid`` is of URL, ETag, date and size: servers give the same ETag to different files
    of one date and size."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="http|6fdea346-86e4-4383-9a21-132db7c9a576",
        name="HTTP",
        description="Files of a web server: an index page with its folders, or a list of URLs. Read only",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=False,
        json_schema={
            "title": "HTTP",
            "type": "object",
            "required": [],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "base_url": {
                    "type": "string",
                    "title": "Index page",
                    "description": "http(s)://HOST/FOLDER/ of a server that lists its folders as nginx and Apache do. "
                    "The host may be in a private network; no other host is asked",
                },
                "urls": {"type": "string", "title": "URLs", "description": "Instead of an index page; one a line"},
                "username": {"type": "string", "title": "User"},
                "password": {"type": "string", "title": "Password", "format": "password"},
                "max_file_mb": {
                    "type": "integer",
                    "title": "Largest file in MB",
                    "default": 1024,
                    "minimum": 1,
                },
            },
            "additionalProperties": False,
        },
        # A URL may hold a token.
        secrets=("password", "urls"),
        tested="http.server of Python",
        extra="http",
        # requests, which the workers load in any case: it is none of the libraries that only a connector loads.
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__("http")
        values = stored_settings(self.info, settings)
        base, lines = values.get("base_url", "").strip(), values.get("urls", "").split()
        if bool(base) == bool(lines):
            raise ConfigurationError("connector http: set one of the fields 'base_url' and 'urls'")
        self._listed = dict(listed("urls", url) for url in lines)
        self._base = ""
        if base:
            parts = checked_url("base_url", base)
            if parts.query or parts.fragment:
                raise ConfigurationError("connector http: field 'base_url' has a query: give the URL of a folder")
            self._base = parts.geturl().rstrip("/") + "/"
        user = values.get("username")
        self._login = (user, values.get("password", "")) if user else None
        if self._login and len({urlsplit(url).netloc for url in lines}) > 1:
            raise ConfigurationError(
                "connector http: field 'urls' names several hosts, and each would get the password: use a connector "
                "for each host"
            )
        self._limit = values["max_file_mb"] * _MB
        self._made: Client | None = None

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``."""
        self._guard()
        if write:
            self._read_only()
        if self._base:
            self._index(self._base)
        elif self._listed:
            with self._listing(next(iter(self._listed))):
                self._head(next(iter(self._listed.values()))).close()

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. One request for each folder and each file. URLs come in their own order."""
        self._guard()
        parts = path_parts(folder.lstrip("/"))
        if self._listed:
            if parts:
                raise SourceNotFound(f"source folder {folder} does not exist: a list of URLs has no folders")
            return self._listed_entries(ignore, on_skip)
        url = self._base + "".join(f"{quoted(part)}/" for part in parts)
        page = self._index(url)
        return self._walk(url, parts, page, max_depth if recursive else 1, recursive, on_skip, ignore)

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``. Reading it raises ``FileChanging`` when the file changed meanwhile,
        ``FileTooLarge``, and ``SourceUnavailable`` when the connection ends early."""
        self._guard()
        url = self._url_of(path)
        with self._reading(path):
            answer = self._client.request("GET", url)
        coding = answer.headers.get("Content-Encoding", "identity")
        if coding != "identity" and not url.endswith(".gz"):
            answer.close()
            raise FileError(f"file {path} comes compressed ({coding}) though that was not asked for: see to the server")
        return cast(
            "BinaryIO",
            io.BufferedReader(HttpContent(lambda: self._stamp(path), answer, path, self._limit), CHUNK_BYTES),
        )

    def state(self, path: str) -> FileState | None:
        """See ``FileSystemConnector``; None where the server gives no date or no size."""
        self._guard()
        url = self._url_of(path)
        with self._reading(path), self._head(url) as answer:
            size, modified_at = size_of(answer), modified_at_of(answer)
        return None if size is None or not modified_at else FileState(size, modified_at)

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``: refused."""
        self._guard()
        self._read_only()

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``: refused."""
        self._guard()
        self._read_only()

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``: nothing was written."""
        self._guard()
        raise FileMissing(f"{location} is not a file of this connector, which is read only")

    def close(self) -> None:
        """See ``FileSystemConnector``."""
        self._guard()
        if self._made is not None:
            self._made.close()

    @property
    def _client(self) -> Client:
        if self._made is None:
            with optional_library(self.info):
                from docfleet.connectors.filesystems.http.client import Client
            self._made = Client(self._login)
        return self._made

    def _read_only(self) -> NoReturn:
        raise DestinationRejected("connector http is read only: choose another connector as the destination")

    def _url_of(self, path: str) -> str:
        parts = path_parts(path)
        if self._listed:
            url = self._listed.get(encode_name("/".join(parts)))
            if url is None:
                raise FileMissing(f"file {path} is not among the URLs of the source: send it again")
            return url
        return self._base + "/".join(quoted(part) for part in parts)

    def _head(self, url: str) -> requests.Response:
        from docfleet.connectors.filesystems.http.client import RequestRefused

        try:
            return self._client.request("HEAD", url)
        except RequestRefused:
            # Some servers do not answer HEAD, and presigned URLs are of one method.
            return self._client.request("GET", url)

    def _index(self, url: str) -> str:
        with self._listing(url), self._client.request("GET", url) as answer:
            if "html" not in answer.headers.get("Content-Type", ""):
                raise SourceUnreadable(f"source {url} is not an index page: name the folder that holds the files")
            try:
                page = cast("bytes", answer.raw.read(_MAX_INDEX_BYTES + 1))
            except Exception as error:
                raise SourceUnreadable(f"source {url} ended while it was read: run again") from error
            if len(page) > _MAX_INDEX_BYTES or len(page) < (size_of(answer) or 0):
                raise SourceUnreadable(f"source {url} is no complete index page of at most {_MAX_INDEX_BYTES} bytes")
            return page.decode(answer.encoding or "utf-8", "replace")

    def _walk(
        self,
        url: str,
        parts: tuple[str, ...],
        page: str,
        levels: int | None,
        recursive: bool,
        on_skip: OnSkip | None,
        ignore: Ignore | None,
    ) -> Iterator[SourceEntry]:
        skip = on_skip or (lambda path, reason: None)
        pending = [(url, parts, 1)]
        first: str | None = page
        while pending:
            url, parts, level = pending.pop()
            below = []
            page = first if first is not None else self._index(url)
            first = None
            for link in links(page, url):
                if link.name is None:
                    skip("/".join((*map(encode_name, parts), link.shown)), SkipReason.NOT_A_FILE)
                    continue
                path = encode_name("/".join((*parts, link.name)))
                if ignore is not None and ignore(encode_name(link.name)):
                    skip(path, SkipReason.NO_DOCUMENT)
                elif not link.is_folder:
                    yield from self._entry(path, f"{url}{link.shown}", skip)
                elif recursive and levels is not None and level + 1 > levels:
                    skip(path, SkipReason.TOO_DEEP)
                elif recursive:
                    below.append((f"{url}{link.shown}/", (*parts, link.name), level + 1))
            pending.extend(reversed(below))

    def _listed_entries(self, ignore: Ignore | None, on_skip: OnSkip | None) -> Iterator[SourceEntry]:
        skip = on_skip or (lambda path, reason: None)
        for path, url in self._listed.items():
            if ignore is not None and any(ignore(part) for part in path.split("/")):
                skip(path, SkipReason.NO_DOCUMENT)
            else:
                yield from self._entry(path, url, skip)

    def _entry(self, path: str, url: str, skip: OnSkip) -> Iterator[SourceEntry]:
        from docfleet.connectors.filesystems.http.client import Missing

        try:
            with self._listing(path, missing=False), self._head(url) as answer:
                headers = answer.headers
                size = size_of(answer)
                modified_at = modified_at_of(answer)
                stamps = (headers.get("ETag"), headers.get("Last-Modified"))
        except Missing:
            skip(path, SkipReason.BROKEN_LINK)
            return
        uuid = None
        if any(stamps):
            uuid = hashlib.sha256("\0".join((url, *(str(stamp) for stamp in stamps), str(size))).encode()).hexdigest()
        yield SourceEntry(
            path=path,
            name=path.rpartition("/")[2],
            size=size or 0,
            modified_at=modified_at,
            provider_file_uuid=uuid,
            fs_metadata={"etag": stamps[0], "content_type": headers.get("Content-Type")},
        )

    @contextmanager
    def _listing(self, shown: str, *, missing: bool = True) -> Iterator[None]:
        with optional_library(self.info):
            from docfleet.connectors.filesystems.http.client import HostUnavailable, Missing, RequestRefused
        try:
            yield
        except Missing as error:
            if not missing:
                raise
            raise SourceNotFound(f"source {shown} does not exist: create it or correct the URL") from error
        except (RequestRefused, HostUnavailable) as error:
            raise SourceUnreadable(f"source {shown} cannot be read: {error}") from error

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        with optional_library(self.info):
            from docfleet.connectors.filesystems.http.client import HostUnavailable, Missing, RequestRefused
        try:
            yield
        except Missing as error:
            raise FileMissing(f"file {path} is no longer there: it was moved or deleted; send it again") from error
        except RequestRefused as error:
            raise FileError(f"file {path} cannot be read: {error}") from error
        except HostUnavailable as error:
            raise SourceUnavailable(f"file {path} cannot be read: {error}") from error

    def _stamp(self, path: str) -> tuple[str | None, ...]:
        with self._reading(path), self._head(self._url_of(path)) as answer:
            return stamp_of(answer)
