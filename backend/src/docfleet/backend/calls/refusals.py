"""Refusals of calls of the public API: an answer of its own status and code, in the shape that its callers know."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from docfleet.core.errors import DocfleetError


class CallRefused(DocfleetError):
    """A call of the public API is refused, with the ``status`` and ``code`` of its answer.

    ``attr`` names the field at fault, ``retry_after`` is in seconds, and ``close`` ends the connection without reading
    the rest of the body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        attr: str | None = None,
        retry_after: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.attr = attr
        self.retry_after = retry_after
        self.close = close

    def __reduce__(self) -> tuple[Callable[..., DocfleetError], tuple[Any, ...]]:
        rebuild = partial(type(self), attr=self.attr, retry_after=self.retry_after, close=self.close)
        return rebuild, (self.status, self.code, self.message)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return headers | ({"Connection": "close"} if self.close else {})


def invalid_field(attr: str | None, message: str) -> CallRefused:
    """A field of a call is wrong: 400."""
    return CallRefused(400, "invalid", message, attr=attr)
