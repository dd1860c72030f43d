"""Identifiers, and the stable key of a file.

Ids are UUID strings. A file's key identifies "the same bytes at the same place as last time" without reading it.
"""

from __future__ import annotations

import hashlib
import re
import uuid

from docfleet.core.errors import InvalidInput

ORGANIZATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
"""The pattern of an organization's id. It goes into headers and paths unchanged."""


def new_id() -> str:
    """A random UUID, lower case with hyphens."""
    return str(uuid.uuid4())


def parse_id(value: str, what: str = "id") -> str:
    """``value`` in canonical form. Raises ``InvalidInput`` when it is not a UUID."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(f"{what} is not a UUID: {value!r:.80}") from error


def is_id(value: str) -> bool:
    """Whether ``value`` is a UUID in canonical form."""
    try:
        return parse_id(value) == value
    except InvalidInput:
        return False


def check_organization(organization_id: str) -> str:
    """``organization_id`` itself. Raises ``InvalidInput`` when it cannot be one."""
    if not isinstance(organization_id, str) or not ORGANIZATION_ID.match(organization_id):
        raise InvalidInput(f"not the id of an organization: {organization_id!r:.80}")
    return organization_id


def stable_file_key(
    *, provider_file_uuid: str | None, file_hash: str, file_path: str, file_size: int, modified_at: float | None
) -> str:
    """The provider's uuid, else the content hash, else SHA-256 of path, size and modification time (64 hex).

    Sources without a content identity (local folders,
    SFTP, multipart S3 objects) have no other key.
    """
    if provider_file_uuid:
        return provider_file_uuid
    if file_hash:
        return file_hash
    seed = "\0".join((file_path, str(file_size), "" if modified_at is None else repr(float(modified_at))))
    return hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()
