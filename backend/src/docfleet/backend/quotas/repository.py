"""Reads of an organization's limits, and of what it has used of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, func, select, text

from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import SECONDS_PER_DAY, db_now, iso, utc_today
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import OPEN_EXECUTION, executions
from docfleet.backend.tables.organizations import organizations as organization_rows
from docfleet.backend.tables.usage import daily_usage
from docfleet.core.management.quotas import Quota, QuotaUse


class QuotaLimits(msgspec.Struct, frozen=True):
    """The limits of one organization, by name of ``Quota``; 0 means no limit."""

    files_per_day: int
    pages_per_day: int
    concurrent_executions: int

    @classmethod
    def of(cls, settings: BackendSettings, overrides: Mapping[str, int]) -> Self:
        """The organization's ``overrides``, else the backend's settings."""
        return cls(
            *(
                overrides.get(quota.setting, organizations.default_of(quota.setting, settings) or 0)
                for quota in (Quota.FILES_PER_DAY, Quota.PAGES_PER_DAY, Quota.CONCURRENT_EXECUTIONS)
            )
        )

    @property
    def are_set(self) -> bool:
        """Whether anything is limited."""
        return bool(self.files_per_day or self.pages_per_day or self.concurrent_executions)


class Use(msgspec.Struct, frozen=True):
    """What an organization has used: files and pages of today, files of open executions that are reserved and not yet
    counted, and open executions. ``now`` is the database's clock, in seconds since the epoch."""

    counted_files: int
    reserved_files: int
    pages: int
    executions: int
    now: float

    @property
    def files(self) -> int:
        """Files that are counted or reserved."""
        return self.counted_files + self.reserved_files

    @property
    def resets_at(self) -> float:
        """The end of the day, in seconds since the epoch."""
        return (self.now // SECONDS_PER_DAY + 1) * SECONDS_PER_DAY

    @property
    def seconds_to_reset(self) -> int:
        """Seconds to the end of the day, at least 1."""
        return max(1, math.ceil(self.resets_at - self.now))


def _today(name: str) -> ColumnElement[int]:
    row = (daily_usage.c.organization_id == bindparam("organization_id"), daily_usage.c.day == utc_today())
    return func.coalesce(select(daily_usage.c[name]).where(*row).scalar_subquery(), 0).label(name)


def _open(value: ColumnElement[int]) -> ColumnElement[int]:
    open_ones = select(value).where(executions.c.organization_id == bindparam("organization_id"), text(OPEN_EXECUTION))
    return func.coalesce(open_ones.scalar_subquery(), 0)


# One statement, and so one snapshot: a file that is counted is no longer reserved.
_USE = select(
    _today("files"),
    _today("pages"),
    _open(func.sum(executions.c.reserved_files)).label("reserved"),
    _open(func.count()).label("executions"),
    db_now().label("now"),
)
_LOCK = (
    select(organization_rows.c.organization_id)
    .where(organization_rows.c.organization_id == bindparam("organization_id"))
    .with_for_update(key_share=True)
)


def limits(connection: Connection, settings: BackendSettings, organization_id: str) -> QuotaLimits:
    """The limits in force."""
    return QuotaLimits.of(settings, organizations.settings(connection, organization_id))


def lock(connection: Connection, organization_id: str) -> None:
    """Let creations and registrations of the organization decide one after the other, up to the end of the transaction.

    Nothing else takes this lock, and who holds it locks no row of an execution or a pipeline. SQLite has one writer
    anyway.
    """
    connection.execute(_LOCK, {"organization_id": organization_id})


def use(connection: Connection, organization_id: str) -> Use:
    """What the organization has used, by what is committed and by this transaction."""
    row = connection.execute(_USE, {"organization_id": organization_id}).one()
    return Use(int(row.files), int(row.reserved), int(row.pages), int(row.executions), row.now)


def listing(connection: Connection, settings: BackendSettings, organization_id: str) -> list[QuotaUse]:
    """The use of each quota."""
    known, used = limits(connection, settings, organization_id), use(connection, organization_id)
    numbers = {
        Quota.FILES_PER_DAY: (used.files, known.files_per_day),
        Quota.PAGES_PER_DAY: (used.pages, known.pages_per_day),
        Quota.CONCURRENT_EXECUTIONS: (used.executions, known.concurrent_executions),
    }
    return [
        QuotaUse(
            quota,
            used=number,
            limit=limit or None,
            left=max(0, limit - number) if limit else None,
            resets_at=None if quota is Quota.CONCURRENT_EXECUTIONS else iso(used.resets_at),
        )
        for quota, (number, limit) in numbers.items()
    ]
