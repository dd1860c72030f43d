"""The answer to a request that never reaches the application."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

_CODES = {
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.REQUEST_URI_TOO_LONG: "too_large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "too_large",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}


class Refusal(Exception):
    """Why a request is refused, with the ``status`` of its answer."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def answer(self) -> bytes:
        """The complete answer, which ends the connection: a problem (RFC 9457)."""
        code = _CODES.get(self.status, "invalid_input")
        body = msgspec.json.encode(
            {
                "type": f"urn:docfleet:problem:{code}",
                "title": self.status.phrase,
                "status": int(self.status),
                "detail": self.detail,
                "code": code,
            }
        )
        head = (
            f"HTTP/1.1 {int(self.status)} {self.status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode("ascii") + body
