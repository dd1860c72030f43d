"""What an answer says of its file, and the file in its body."""

from __future__ import annotations

import io
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from docfleet.core.errors import FileChanging, FileTooLarge, SourceUnavailable

if TYPE_CHECKING:
    import requests

_MB = 1 << 20


class HttpContent(io.RawIOBase):
    """The body of an answer; ``stamp`` asks for the present one. At its end it is seen whether it was complete
    and the file is still the same."""

    def __init__(
        self, stamp: Callable[[], tuple[str | None, ...]], answer: requests.Response, path: str, limit: int
    ) -> None:
        self._stamp = stamp
        self._answer = answer
        self._path = path
        self._limit = limit
        self._position = 0
        if (size_of(answer) or 0) > limit:
            answer.close()
            raise self._too_large()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ``SourceUnavailable``, ``FileTooLarge`` or ``FileChanging``."""
        try:
            chunk = cast("bytes", self._answer.raw.read(len(buffer), decode_content=False))
        except Exception as error:
            raise SourceUnavailable(f"file {self._path} cannot be read to its end") from error
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        if self._position > self._limit:
            raise self._too_large()
        if not chunk:
            self._require_complete()
        return len(chunk)

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()
        super().close()

    def _require_complete(self) -> None:
        if size_of(self._answer) not in (None, self._position):
            raise SourceUnavailable(f"file {self._path} ended after {self._position} bytes")
        if self._stamp() != stamp_of(self._answer):
            raise FileChanging(f"file {self._path} changed while it was read: run again when it is complete")

    def _too_large(self) -> FileTooLarge:
        return FileTooLarge(
            f"file {self._path} is larger than {self._limit // _MB} MB: raise the field 'max_file_mb' of the connector"
        )


def size_of(answer: requests.Response) -> int | None:
    """Bytes; None where the server does not say."""
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def modified_at_of(answer: requests.Response) -> float:
    """Seconds since the epoch; 0 where the server does not say."""
    try:
        return parsedate_to_datetime(answer.headers.get("Last-Modified", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def stamp_of(answer: requests.Response) -> tuple[str | None, ...]:
    """What changes with the content of a file."""
    return tuple(answer.headers.get(name) for name in ("ETag", "Last-Modified", "Content-Length"))
