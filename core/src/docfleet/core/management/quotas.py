"""Quotas of an organization, and what it has used of them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Quota(StrEnum):
    """What is limited. A day is a day of UTC."""

    FILES_PER_DAY = "files_per_day"
    PAGES_PER_DAY = "pages_per_day"
    CONCURRENT_EXECUTIONS = "concurrent_executions"

    @property
    def setting(self) -> str:
        """The setting that limits it."""
        return f"MAX_{self.upper()}"


class QuotaUse(msgspec.Struct):
    """The use of one quota. ``limit`` and ``left`` are null where there is no limit. ``resets_at`` is the end of the
    day (ISO 8601, UTC), null for what is not counted by day."""

    quota: Quota
    used: int
    limit: int | None
    left: int | None
    resets_at: str | None


class QuotaList(msgspec.Struct):
    """All quotas of an organization."""

    organization_id: str
    quotas: list[QuotaUse]
