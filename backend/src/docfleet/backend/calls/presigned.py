"""Files behind presigned URLs: fetched from allowed hosts only, and never from the internal network.

``Outbound`` guards the connection. TLS checks the certificate against the name, and redirects are not followed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

import anyio
import anyio.to_thread
import msgspec
from anyio.lowlevel import RunVar

from docfleet.backend.calls.refusals import CallRefused, invalid_field
from docfleet.backend.calls.staging import MAX_NAME_LENGTH, Area
from docfleet.backend.settings import BackendSettings
from docfleet.core.outbound import DeadlineStream, ForbiddenAddress, Outbound, left

_downloads: RunVar[anyio.CapacityLimiter] = RunVar("presigned downloads")

MAX_HOST_LENGTH = 253
_S3_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
_CHUNK = 64 * 1024
_MB = 1024 * 1024
_HTTPS_PORT = 443
PASSED_ON = (403, 404)
"""Statuses of a URL's host that are passed on unchanged: expired, and gone. Others would be mistaken for Docfleet's own
(401 for a wrong key, 429 for a limit), or are not registered."""

MAX_DOWNLOADS = 8
"""Concurrent downloads. They have threads of their own, so that slow hosts do not block other calls."""


class Rules(msgspec.Struct, frozen=True):
    """Which files may be fetched."""

    hosts: tuple[str, ...]
    networks: tuple[Any, ...]
    max_mb: int
    seconds: float
    ca_file: str | None

    @classmethod
    def of(cls, settings: BackendSettings) -> Self:
        """The rules of the settings."""
        return cls(
            hosts=tuple(
                part.strip().lower() for part in settings.api_presigned_allowed_hosts.split(",") if part.strip()
            ),
            networks=settings.presigned_networks,
            max_mb=settings.api_presigned_max_file_size_mb,
            seconds=settings.api_presigned_timeout_seconds,
            ca_file=settings.api_presigned_ca_file,
        )

    def allows(self, host: str) -> bool:
        """Whether files may be fetched from a host of this name."""
        if not self.hosts:
            return is_s3(host)
        return any(
            host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])) for pattern in self.hosts
        )

    @property
    def outbound(self) -> Outbound:
        """The guard of every connection."""
        return Outbound(self.seconds, self.networks, self.ca_file)


def is_s3(host: str) -> bool:
    """Whether a host is one of Amazon S3's: ``s3`` or ``s3-REGION`` is one of its labels before the domain."""
    domain = next((domain for domain in _S3_DOMAINS if host.endswith(domain)), None)
    if domain is None or not _HOST_CHARACTERS.issuperset(host):
        return False
    return any(label == "s3" or label.startswith("s3-") for label in host.removesuffix(domain).split("."))


async def fetch(urls: list[str], area: Area, rules: Rules) -> None:
    """Fetch the URLs in order into ``area``, all of them within the rules' seconds.

    Raises ``CallRefused``: 400 for a URL that is not allowed, 413, 502, 504, or the host's own 4xx.
    """
    parsed = [_check(url, rules) for url in urls]
    deadline = time.monotonic() + rules.seconds
    for url in parsed:
        await anyio.to_thread.run_sync(_fetch, url, area, rules, deadline, limiter=_limiter())


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _downloads.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(MAX_DOWNLOADS)
        _downloads.set(limiter)
        return limiter


def _bad(detail: str) -> CallRefused:
    return invalid_field("presigned_urls", detail)


def _check(url: str, rules: Rules) -> SplitResult:
    if not url.isascii() or any(ord(character) <= 32 for character in url):
        raise _bad("a presigned URL has characters that have to be encoded")
    try:
        parsed = urlsplit(url)
        host, port = (parsed.hostname or "").lower(), parsed.port
    except ValueError as error:
        raise _bad(f"a presigned URL is malformed: {error}") from error
    if parsed.scheme != "https" or not host or parsed.username is not None:
        raise _bad("a presigned URL has to begin with https:// and a host name")
    if len(host) > MAX_HOST_LENGTH:
        raise _bad(f"the host of a presigned URL has {len(host)} characters: at most {MAX_HOST_LENGTH} are allowed")
    if not rules.allows(host):
        raise _bad(f"host {host!r:.120} is not allowed for presigned URLs")
    if port not in (None, _HTTPS_PORT) and not rules.networks:
        raise _bad("a presigned URL names no port")
    return parsed


def _connect(host: str, port: int, rules: Rules, deadline: float) -> socket.socket:
    try:
        return rules.outbound.connect(host, port, deadline)
    except ForbiddenAddress as error:
        raise _bad(f"host {host!r:.120} leads to an address that is not public") from error
    except UnicodeError as error:
        raise _bad(f"host {host!r:.120} is no host name: a label is empty or longer than 63 characters") from error
    except socket.gaierror as error:
        message = f"host {host!r:.120} has no address"
        raise CallRefused(502, "connection_error", message, attr="presigned_urls") from error


def _fetch(url: SplitResult, area: Area, rules: Rules, deadline: float) -> None:
    host, port = (url.hostname or "").lower(), url.port or _HTTPS_PORT
    try:
        context = ssl.create_default_context(cafile=rules.ca_file)
        with _connect(host, port, rules, deadline) as plain:
            plain.settimeout(left(deadline))
            with context.wrap_socket(plain, server_hostname=host) as secure:
                connection = http.client.HTTPConnection(host, port)
                connection.sock = secure
                path = (url.path or "/") + (f"?{url.query}" if url.query else "")
                connection.request("GET", path, headers={"Host": url.netloc, "Accept-Encoding": "identity"})
                with http.client.HTTPResponse(DeadlineStream(secure, deadline), method="GET") as response:  # type: ignore[arg-type]
                    response.begin()
                    _receive(response, _name(url), area, rules)
    except TimeoutError as error:
        detail = f"host {host!r:.120} took too long: a call's URLs have {rules.seconds:.0f} seconds in all"
        raise CallRefused(504, "timeout", detail, attr="presigned_urls") from error
    except (OSError, http.client.HTTPException) as error:
        detail = f"host {host!r:.120} does not answer: {type(error).__name__}"
        raise CallRefused(502, "connection_error", detail, attr="presigned_urls") from error


def _receive(response: http.client.HTTPResponse, name: str, area: Area, rules: Rules) -> None:
    status = response.status
    if 300 <= status < 400:
        raise _bad("a presigned URL redirects: send the final URL")
    if status >= 400:
        code = status if status in PASSED_ON else 400 if status < 500 else 502
        raise CallRefused(code, "upstream_error", f"a presigned URL answers {status}", attr="presigned_urls")
    limit = rules.max_mb * _MB
    if (response.length or 0) > limit:
        raise _too_large(rules)
    incoming = area.open(name)
    while True:
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        incoming.write(chunk)
        if incoming.size > limit:
            raise _too_large(rules)
    if response.length:
        raise http.client.IncompleteRead(b"")
    incoming.finish()


def _too_large(rules: Rules) -> CallRefused:
    detail = f"the file behind a presigned URL is too large; at most {rules.max_mb} MB are taken"
    return CallRefused(413, "too_large", detail, attr="presigned_urls")


def _name(url: SplitResult) -> str:
    name = unquote(url.path.rpartition("/")[2], errors="replace")
    cleaned = "".join("_" if ord(character) < 32 or character in "/\\\x7f" else character for character in name)
    return cleaned[-MAX_NAME_LENGTH:] if cleaned.strip(".") else "document"
