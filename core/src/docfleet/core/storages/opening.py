"""The storage that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from docfleet.core.errors import ConfigurationError
from docfleet.core.storages.base import Storage
from docfleet.core.storages.folder import FolderStorage
from docfleet.core.storages.objects import ObjectStorage

_OBJECT_STORES = ("s3", "gs", "az")


def open_storage(url: str, *, allow_http: bool = False) -> Storage:
    """The storage at ``file:///folder``, ``s3://bucket/prefix``, ``gs://...`` or ``az://...``. Nothing is contacted.

    Raises ``ConfigurationError``, which never quotes credentials that were put into the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError("EXECUTION_STORAGE_URL is not a URL: " + _EXAMPLES) from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "EXECUTION_STORAGE_URL holds more than a place: give credentials by the environment, as AWS_ACCESS_KEY_ID"
        )
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return FolderStorage(Path(unquote(parts.path)))
    if parts.scheme in _OBJECT_STORES and parts.netloc:
        return ObjectStorage(url.rstrip("/"), allow_http=allow_http)
    raise ConfigurationError(f"EXECUTION_STORAGE_URL has to be {_EXAMPLES}")


_EXAMPLES = "file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
