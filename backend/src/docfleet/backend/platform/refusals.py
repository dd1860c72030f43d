"""Refusals of the public routes: every status they answer with that has no error of the tree."""

from __future__ import annotations

from docfleet.core.errors import BrokerUnavailable


class Refused(Exception):
    """A call is refused. ``attr`` names the field at fault; ``close`` ends the connection: its body is not read."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        attr: str | None = None,
        retry_after: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.attr = attr
        self.retry_after = retry_after
        self.close = close

    @property
    def headers(self) -> dict[str, str]:
        """What the answer carries besides its body."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return headers | ({"Connection": "close"} if self.close else {})


def invalid(attr: str | None, detail: str) -> Refused:
    """A field is wrong: 400."""
    return Refused(400, "invalid", detail, attr=attr)


class DispatchFailed(BrokerUnavailable):
    """The execution was written but could not be sent; it is ERROR now."""

    def __init__(self, message: str, execution_id: str) -> None:
        super().__init__(message)
        self.execution_id = execution_id
