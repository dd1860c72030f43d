"""HTTP to a dependency: one session per process, time limits, retries of what is safe to retry, a breaker.

A transport is one method, so a test's double needs no mock library. Every call of ours is safe to repeat:
reads, compare-and-set writes, batch operations fenced by the attempt, and creations that carry an
idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import requests
import structlog

from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import (
    AlreadyFinal,
    BackendUnavailable,
    DependencyError,
    DocfleetError,
    MachineTrouble,
    NotAllowed,
    NotFound,
)
from docfleet.core.machine import machine_trouble
from docfleet.workers.shared.infrastructure.patterns.breaker import Breaker
from docfleet.workers.shared.infrastructure.patterns.retry import LONGEST_WAIT_SECONDS, retrying

log = structlog.get_logger()

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
CONNECT_TIMEOUT_SECONDS = 5.0


class Transport(Protocol):
    """Sends one request and returns the body of a successful answer."""

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        final: bool = False,
    ) -> bytes:
        """``path`` is relative to the dependency's base URL. ``timeout`` is in seconds. ``final`` calls
        bypass the breaker. Raises ``DocfleetError``."""


class HttpTransport:
    """The transport over ``requests``. Belongs to the process that made it."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        dependency: str,
        error: type[DependencyError] = BackendUnavailable,
        timeout: float = 30.0,
        attempts: int = 12,
        longest_wait: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._error = error
        self._timeout = timeout
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._breaker = Breaker(dependency, error)
        self._dependency = dependency
        self._session = requests.Session()
        # Proxy and netrc look-ups on every call cost more than the call itself on a loopback.
        self._session.trust_env = False
        self._session.headers.update(
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "User-Agent": "DocfleetWorker/0.1"}
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        final: bool = False,
    ) -> bytes:
        """As ``Transport.request``."""
        data = None if body is None else msgspec.json.encode(body)
        limit = timeout or self._timeout

        def once() -> bytes:
            return self._send(method, path, data, headers, limit)

        def guarded() -> bytes:
            return self._breaker.call(once)

        return retrying(
            once if final else guarded,
            attempts=self._attempts,
            seconds=4 * limit,
            longest_wait=self._longest_wait,
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str] | None, timeout: float
    ) -> bytes:
        try:
            answer = self._session.request(
                method,
                self._base_url + path.lstrip("/"),
                data=data,
                headers=headers,
                timeout=(CONNECT_TIMEOUT_SECONDS, timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Without a descriptor of our own we cannot even ask.
            raise machine_trouble(error) or self._error(
                f"{self._dependency} does not answer: {type(error).__name__}"
            ) from error
        if answer.ok:
            return answer.content
        raise self._problem(answer)

    def _problem(self, answer: requests.Response) -> DocfleetError:
        """The error an ``application/problem+json`` answer names; the status decides when it names none."""
        try:
            problem = msgspec.json.decode(answer.content)
            detail, code = str(problem.get("detail") or problem.get("title")), str(problem.get("code") or "")
        except (msgspec.DecodeError, AttributeError):
            detail, code = answer.text[:500], ""
        if answer.status_code in RETRIED_STATUS:
            named = error_from_code(code, f"{self._dependency}: {detail}")
            if isinstance(named, MachineTrouble):
                return named
            return self._error(f"{self._dependency} answered {answer.status_code}: {detail}")
        by_status: dict[int, type[DocfleetError]] = {401: NotAllowed, 404: NotFound, 409: AlreadyFinal}
        if code:
            return error_from_code(code, detail)
        return by_status.get(answer.status_code, DocfleetError)(
            f"{self._dependency} refused: {answer.status_code} {detail}"
        )
