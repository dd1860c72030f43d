"""Keys of APIs, pipelines and the organization, and the roles of the last."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec

from docfleet.core.names import GivenName

KEY_PREFIX = "dfk_"
"""How every key that the backend makes begins."""


class Scope(StrEnum):
    """What a key opens: one deployment, one pipeline, or the organization (``platform``) as far as its role goes."""

    DEPLOYMENT = "deployment"
    PIPELINE = "pipeline"
    PLATFORM = "platform"


class Role(StrEnum):
    """What a key of an organization may do in it. Each role may do what the ones above it may."""

    VIEWER = "viewer"
    """Reads: lists, states, logs, results."""
    OPERATOR = "operator"
    """Runs, stops, retries, pauses and resumes, sends notifications again."""
    ADMIN = "admin"
    """Everything else of the organization: workflows, deployments, pipelines, notifications, keys."""

    def includes(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made. ``target`` is an api_name, a pipeline's name, or null for scope platform.

    ``expires_at`` is a time with its zone, in the future. Only a key of scope platform has a ``role``. Without one it
    opens the organization's description and the list of its APIs, nothing else.
    """

    scope: Scope
    name: GivenName
    target: str | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    role: Role | None = None

    json_rules: ClassVar = (
        {
            "if": {"properties": {"scope": {"enum": [Scope.DEPLOYMENT.value, Scope.PIPELINE.value]}}},
            "then": {
                "required": ["target"],
                "properties": {"target": {"type": "string", "minLength": 1}, "role": {"type": "null"}},
            },
            "else": {"properties": {"target": {"type": "null"}}},
        },
    )


class Key(msgspec.Struct, kw_only=True):
    """One key, known by its first and its last characters. ``key_suffix`` is null for a key that an
    earlier version made."""

    key_id: str
    scope: Scope
    role: Role | None
    target: str | None
    name: str
    key_prefix: str
    key_suffix: str | None
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
