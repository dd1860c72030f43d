"""Keys of APIs, pipelines and the organization."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from docfleet.core.names import GivenName


class Scope(StrEnum):
    """What a key opens: one deployment, one pipeline, or the organization's description (``platform``)."""

    DEPLOYMENT = "deployment"
    PIPELINE = "pipeline"
    PLATFORM = "platform"


class KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made. ``target`` is an api_name, a pipeline's name, or null for scope platform.

    ``expires_at`` is a time with its zone, in the future.
    """

    scope: Scope
    name: GivenName
    target: str | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Key(msgspec.Struct, kw_only=True):
    """One key, known by its first characters (``key_prefix``)."""

    key_id: str
    scope: Scope
    target: str | None
    name: str
    key_prefix: str
    is_active: bool
    expires_at: str | None
    created_at: str
    last_used_at: str | None


class CreatedKey(Key, kw_only=True):
    """A new key. Only this answer holds the ``key`` itself."""

    key: str


class KeyList(msgspec.Struct):
    """The keys of an organization, oldest first."""

    keys: list[Key]


class RevokedKey(msgspec.Struct):
    """``revoked`` is false when the key was revoked before."""

    key_id: str
    revoked: bool
