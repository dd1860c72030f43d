"""Organizations and their settings."""

from __future__ import annotations

from typing import Annotated

import msgspec


class OrganizationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The name of an organization."""

    name: str = ""


class AppliedOrganization(msgspec.Struct):
    """An organization was created or renamed."""

    organization_id: str
    created: bool


class Organization(msgspec.Struct):
    """One organization."""

    organization_id: str
    name: str
    created_at: str


class OrganizationList(msgspec.Struct):
    """All organizations, by id."""

    organizations: list[Organization]


class SettingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The value of a setting; null removes the override."""

    value: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": 100})] | None
    """Some settings take more than the schema says: it has one bound for all."""


class OrganizationSetting(msgspec.Struct):
    """The override of one setting; null when the organization has none."""

    key: str
    value: int | None
    has_organization_override: bool


class SettingInForce(msgspec.Struct):
    """A setting: the organization's ``value``, null when it has none, and the backend's ``default``, null when that
    sets none."""

    key: str
    value: int | None
    default: int | None

    @property
    def effective(self) -> int | None:
        """What counts for the organization."""
        return self.default if self.value is None else self.value


class SettingList(msgspec.Struct):
    """All settings of an organization, by key."""

    organization_id: str
    settings: list[SettingInForce]


class SettingsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Settings to change, by key; null removes the override. All of them are changed, or none."""

    settings: dict[str, int | None]
