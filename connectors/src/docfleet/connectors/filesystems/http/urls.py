"""The URLs of the settings, and the paths that stand for them."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import SplitResult, quote_from_bytes, unquote_to_bytes, urlsplit

from docfleet.connectors.paths import encode_name, safe_name
from docfleet.core.errors import ConfigurationError, UnsafePath


def checked_url(field: str, url: str) -> SplitResult:
    """A URL of the settings in its parts. Raises ``ConfigurationError``."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(
            f"connector http: field {field!r} is malformed: give http://HOST/... or https://HOST/..."
        )
    if parts.username or parts.password:
        raise ConfigurationError(f"connector http: field {field!r} holds a login: use 'username' and 'password'")
    return parts


def listed(field: str, url: str) -> tuple[str, str]:
    """The path and the URL of a listed file: ``HOST/PATH``. A query may be a token, so its digest stands for it."""
    parts = checked_url(field, url)
    *folders, name = [os.fsdecode(unquote_to_bytes(part)) for part in parts.path.split("/") if part] or ["file"]
    if parts.query:
        stem, dot, extension = name.rpartition(".")
        tag = hashlib.sha256(parts.query.encode()).hexdigest()[:12]
        name = f"{stem}-{tag}.{extension}" if dot else f"{name}-{tag}"
    try:
        path = "/".join(encode_name(safe_name(part)) for part in (parts.netloc, *folders, name))
    except UnsafePath as error:
        raise ConfigurationError(
            f"connector http: field {field!r} has a URL whose path is not a path of files"
        ) from error
    return path, parts._replace(fragment="").geturl()


def quoted(name: str) -> str:
    """A name of the operating system as part of a URL."""
    return quote_from_bytes(os.fsencode(name))
