"""Refuses what an organization's quotas have no room for.

An execution is admitted by its creation, and what is admitted runs to its end. A creation that knows its files reserves
room for them (``executions.reserved_files``), so that two calls do not both get the last place. The reservation ends
when the files are counted, or when the execution ends. A run does not know its files: its registration leaves out those
that have no room.
"""

from __future__ import annotations

import math

import structlog
from sqlalchemy import Connection

from docfleet.backend.platform.db import Record, iso
from docfleet.backend.quotas import repository
from docfleet.backend.quotas.repository import QuotaLimits, Use
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import QuotaExceeded
from docfleet.core.management.quotas import Quota

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
"""When a caller may try again who found too many executions open."""


def admit(connection: Connection, settings: BackendSettings, new: Record, files: int | None) -> None:
    """Admit the execution ``new``, written by this transaction. ``files`` to process, None when they are not known.

    The last lock of its transaction, see ``repository.lock``. Raises ``QuotaExceeded``.
    """
    limits = repository.limits(connection, settings, new.organization_id)
    if not limits.are_set:
        return
    if limits.files_per_day or limits.concurrent_executions:
        repository.lock(connection, new.organization_id)
    used = repository.use(connection, new.organization_id)
    before = Use(
        used.counted_files, used.reserved_files - new.reserved_files, used.pages, used.executions - 1, used.now
    )
    check(limits, before, new.organization_id, files)


def check(limits: QuotaLimits, used: Use, organization_id: str, files: int | None) -> None:
    """Whether one more execution has room; ``files`` as in ``admit``. Raises ``QuotaExceeded``."""
    if limits.concurrent_executions and used.executions >= limits.concurrent_executions:
        raise _refused(Quota.CONCURRENT_EXECUTIONS, limits.concurrent_executions, used, organization_id, 1)
    if files != 0:
        check_files(limits, used, organization_id, files or 1)


def check_files(limits: QuotaLimits, used: Use, organization_id: str, files: int) -> None:
    """Whether ``files`` more have room today. Raises ``QuotaExceeded``."""
    if limits.pages_per_day and used.pages >= limits.pages_per_day:
        raise _refused(Quota.PAGES_PER_DAY, limits.pages_per_day, used, organization_id, 1)
    if limits.files_per_day and used.files + files > limits.files_per_day:
        raise _refused(Quota.FILES_PER_DAY, limits.files_per_day, used, organization_id, files)


def admit_file(connection: Connection, settings: BackendSettings, organization_id: str) -> None:
    """Admit one more file of an execution that registers its files one by one. Locks as ``admit``. Raises
    ``QuotaExceeded``."""
    limits = repository.limits(connection, settings, organization_id)
    if limits.files_per_day:
        repository.lock(connection, organization_id)
    if limits.files_per_day or limits.pages_per_day:
        check_files(limits, repository.use(connection, organization_id), organization_id, 1)


def room(connection: Connection, settings: BackendSettings, organization_id: str) -> float:
    """How many more files may be registered for processing; infinite without a limit. Locks as ``admit``."""
    limits = repository.limits(connection, settings, organization_id)
    if not (limits.files_per_day or limits.pages_per_day):
        return math.inf
    if limits.files_per_day:
        repository.lock(connection, organization_id)
    used = repository.use(connection, organization_id)
    if limits.pages_per_day and used.pages >= limits.pages_per_day:
        return 0
    return max(0, limits.files_per_day - used.files) if limits.files_per_day else math.inf


def _refused(quota: Quota, limit: int, used: Use, organization_id: str, needed: int) -> QuotaExceeded:
    raise_it = f"have it raised (`docfleet organizations set {organization_id} {quota.setting}=N`)"
    midnight = iso(used.resets_at)[:16] + "Z"
    retry_after: int | None = used.seconds_to_reset
    match quota:
        case Quota.CONCURRENT_EXECUTIONS:
            number, retry_after = used.executions, RETRY_AFTER_SECONDS
            cause = f"{number} executions of this organization are open, and {limit} may be"
            remedy = f"try again when one has ended, or {raise_it}"
        case Quota.PAGES_PER_DAY:
            number = used.pages
            cause = f"this organization has used {number} of its {limit} pages a day"
            remedy = f"try again after {midnight}, or {raise_it}"
        case Quota.FILES_PER_DAY:
            number = used.files
            left = max(0, limit - number)
            cause = f"this organization has used {number} of its {limit} files a day, and this takes {needed} more"
            later = f"try again after {midnight}"
            if needed > limit:
                # No day has room for it.
                retry_after, later = None, f"take at most {limit} at once"
            elif left:
                later = f"take at most {left} today, {later}"
            remedy = f"{later}, or {raise_it}"
    log.info("quota.refused", organization_id=organization_id, quota=quota.value, used=number, limit=limit)
    return QuotaExceeded(
        f"quota exceeded: {cause}; {remedy}", quota=quota.value, used=number, limit=limit, retry_after=retry_after
    )
