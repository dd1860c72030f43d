"""One HTTP request to a target that a user named: bounded, guarded, without redirects.

The body of an answer is never shown: it may echo a secret.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from docfleet.core.outbound import DeadlineStream, ForbiddenAddress, Outbound, left
from docfleet.providers.base import TargetRejected, TargetUnavailable, check_header, check_url, host_and_port

USER_AGENT = "Docfleet-Notifications/1.0"
RETRYABLE_REFUSALS = frozenset({408, 425, 429})
"""Refusals after which a later attempt may succeed; every other 4xx is final."""
MAX_RETRY_AFTER_SECONDS = 86_400.0


def post(url: str, body: bytes, headers: Mapping[str, str], outbound: Outbound) -> None:
    """POST ``body``; returns when the target answered 2xx. Raises ``TargetUnavailable``, ``TargetRejected``."""
    try:
        parts = check_url(url)
        for name, value in headers.items():
            check_header(name + value, f"header {name!r:.60}")
    except ValueError as error:
        raise TargetRejected(str(error)) from None
    host, port = host_and_port(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    try:
        status, retry_after = _request(host, port, parts.scheme == "https", path, body, {**sent, **headers}, outbound)
    except ForbiddenAddress:
        raise TargetRejected(forbidden(host)) from None
    except TimeoutError:
        raise TargetUnavailable(f"{host}:{port} did not answer within {outbound.seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise TargetUnavailable(f"the certificate of {host}:{port} is not valid: {error.verify_message}") from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise TargetUnavailable(f"{host}:{port} does not answer: {type(error).__name__}") from None
    judge(status, f"{host}:{port}", retry_after)


def judge(status: int, target: str, retry_after: float | None = None) -> None:
    """Return for 2xx; else raise what the status means."""
    if 200 <= status < 300:
        return
    answer = f"{target} answered {status}"
    if 300 <= status < 400:
        raise TargetRejected(f"{answer}: redirects are not followed; give the final URL")
    if 400 <= status < 500 and status not in RETRYABLE_REFUSALS:
        raise TargetRejected(answer)
    raise TargetUnavailable(answer, retry_after=retry_after, answered=status in RETRYABLE_REFUSALS)


def forbidden(host: str) -> str:
    """Why nothing was sent to ``host``, and what to do about it."""
    return (
        f"{host} leads to an address that is not public: nothing was sent; "
        "a network that may be reached has to be in NOTIFICATION_ALLOWED_NETWORKS"
    )


def _request(
    host: str, port: int, secure: bool, path: str, body: bytes, headers: Mapping[str, str], outbound: Outbound
) -> tuple[int, float | None]:
    deadline = time.monotonic() + outbound.seconds
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = outbound.connect(host, port, deadline)
        connection.sock.settimeout(left(deadline))
        if secure:
            context = ssl.create_default_context(cafile=outbound.ca_file)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connection.sock.settimeout(left(deadline))
        connection.request("POST", path, body=body, headers=dict(headers))
        with http.client.HTTPResponse(DeadlineStream(connection.sock, deadline), method="POST") as answer:  # type: ignore[arg-type]
            answer.begin()
            return answer.status, parse_retry_after(answer.getheader("Retry-After"))
    finally:
        connection.close()


def parse_retry_after(value: str | None) -> float | None:
    """The seconds a ``Retry-After`` header requests, given as seconds or as a date; None when it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def base_url(url: str) -> str:
    """``url`` without a slash at its end."""
    return urlsplit(url).geturl().rstrip("/")
