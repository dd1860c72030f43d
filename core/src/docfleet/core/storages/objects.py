"""A storage in a bucket of S3, Google Cloud Storage or Azure, by ``obstore``.

The text of the library's errors quotes requests: key ids, signed strings, tokens. None of it goes into a message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from docfleet.core.errors import ConfigurationError, StorageUnavailable
from docfleet.core.object_library import (
    CHUNK_BYTES,
    CLIENT_OPTIONS,
    PAGE_KEYS,
    PART_BYTES,
    RETRIES,
    ObjectContent,
    library_errors,
    use_in_this_process,
)
from docfleet.core.storages.base import StoredObject, check_folder, check_key
from docfleet.core.storages.folder import read_regular, replace_file

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "specified bucket does not exist")
_LASTING = {
    "ExpiredToken": "the session token has expired: renew it",
    "RequestTimeTooSkewed": "the clock of this machine differs too much from the store's: set it by NTP",
    "PermanentRedirect": "the bucket is in another region: correct AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct AWS_REGION",
}
"""By the code in the answer."""
_REFUSED = re.compile(r"status code: 40[13]\b|status: 40[13]\b|40[13] (Unauthorized|Forbidden)")
"""A listing has no error class of its own for it."""


class ObjectStorage:
    """See ``Storage``. Credentials, region and endpoint come from the platform's chain, as ``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL``."""

    def __init__(self, url: str, *, allow_http: bool = False) -> None:
        """``url`` is ``s3://bucket/prefix``, ``gs://`` or ``az://``. Nothing is contacted. ``allow_http``: the endpoint
        may be one without TLS. Raises ``ConfigurationError``."""
        self.url = url
        self._allow_http = allow_http
        self._store: Any = None

    def open(self, key: str) -> BinaryIO:
        """See ``Storage``."""
        raw = self._get(key)
        return cast("BinaryIO", io.BufferedReader(raw, CHUNK_BYTES))

    def put(self, key: str, content: bytes, *, flush: bool = False) -> None:
        """See ``Storage``."""
        with self._writing() as (obs, store):
            obs.put(store, check_key(key), content, use_multipart=False)

    def put_if_absent(self, key: str, content: bytes, *, flush: bool = False) -> bool:
        """See ``Storage``."""
        with self._writing() as (obs, store):
            try:
                obs.put(store, check_key(key), content, mode="create", use_multipart=False)
            except (obs.exceptions.AlreadyExistsError, obs.exceptions.PreconditionError):
                return False
        return True

    def list(self, folder: str = "") -> Iterator[StoredObject]:
        """See ``Storage``."""
        return self._list(check_folder(folder))

    def delete(self, *keys: str) -> None:
        """See ``Storage``. S3 takes a thousand keys a request."""
        names = [check_key(key) for key in keys]
        with self._writing() as (obs, store):
            if len(names) > 1:
                with suppress(FileNotFoundError):  # not by S3, which does not look
                    obs.delete(store, names)
                    return
            for name in names:
                with _if_there():
                    obs.delete(store, name)

    def upload(self, path: Path, key: str, *, flush: bool = False) -> None:
        """See ``Storage``. At most two parts of 5 MB are in memory."""
        with read_regular(path) as stream, self._writing() as (obs, store):
            obs.put(store, check_key(key), stream, chunk_size=PART_BYTES, max_concurrency=2)

    def download(self, key: str, path: Path) -> None:
        """See ``Storage``."""
        with self._get(key) as content:
            replace_file(path, iter(lambda: content.read(CHUNK_BYTES) or b"", b""))

    def _get(self, key: str) -> ObjectContent:
        obs, store = self._library()
        try:
            answer = obs.get(store, check_key(key))
            chunks = iter(answer.stream(min_chunk_size=CHUNK_BYTES))
            return ObjectContent(chunks, answer.meta["size"], partial(_failure, self.url))
        except FileNotFoundError as error:
            if _is_no_bucket(error):
                raise _failure(self.url, error) from None
            raise FileNotFoundError(f"{key} is not in {self.url}") from None
        except library_errors() as error:
            raise _failure(self.url, error) from None

    def _list(self, folder: str) -> Iterator[StoredObject]:
        with self._writing() as (obs, store):
            for page in obs.list(store, folder or None, chunk_size=PAGE_KEYS):
                for meta in page:
                    yield StoredObject(meta["path"], meta["size"], meta["last_modified"].timestamp())

    @contextmanager
    def _writing(self) -> Iterator[tuple[Any, Any]]:
        obs, store = self._library()
        try:
            yield obs, store
        except library_errors() as error:
            raise _failure(self.url, error) from None

    def _library(self) -> tuple[Any, Any]:
        use_in_this_process()
        try:
            import obstore
            from obstore.store import from_url
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"the storage {self.url} needs the library {error.name}: pip install 'docfleet-core[storage]'"
            ) from error
        if self._store is None:
            options = CLIENT_OPTIONS | {"allow_http": self._allow_http}
            try:
                self._store = from_url(self.url, client_options=options, retry_config=RETRIES)
            except (obstore.exceptions.BaseError, ValueError) as error:
                raise _failure(self.url, error) from None
        return obstore, self._store


@contextmanager
def _if_there() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if _is_no_bucket(error):
            raise


def _is_no_bucket(error: Exception) -> bool:
    return any(sign in str(error) for sign in _NO_BUCKET)


def _failure(url: str, error: Exception) -> ConfigurationError | StorageUnavailable:
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError) or _is_no_bucket(error):
        return ConfigurationError(f"{url}: there is no such bucket: correct EXECUTION_STORAGE_URL or make the bucket")
    for sign, reason in _LASTING.items():
        if sign in str(error):
            return ConfigurationError(f"{url}: {reason}")
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or _REFUSED.search(str(error)):
        return ConfigurationError(
            f"{url}: the credentials are refused or a permission is missing (read, write, list and delete are needed)"
        )
    if kind in ("UnknownConfigurationKeyError", "InvalidPathError"):
        return ConfigurationError(f"{url}: the store cannot be used with this URL and these settings")
    return StorageUnavailable(f"{url} does not answer: check the endpoint, the network and the store's state")
