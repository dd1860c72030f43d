"""The chores of the sweep: note what executions wait for, and delete what dead processes and old ones leave behind.

The working folders of an execution are deleted by its callback, or after the report that ended it. ``remove_folders``
deletes the folders that remain because that process died. Rows of executions are kept forever unless
EXECUTION_RETENTION_DAYS is set. Results of finished steps outlive an execution whose file did not succeed, so that a
retry within STEP_RESULTS_SECONDS does not run them again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import delete, select

from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import waiting_notes
from docfleet.backend.files import evidence, results
from docfleet.backend.logs import archive
from docfleet.backend.notifications import repository as notifications
from docfleet.backend.platform.db import SECONDS_PER_DAY, Database, Record, chunks, db_now
from docfleet.backend.schedules import repository as schedules
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions
from docfleet.core.errors import UnsafePath
from docfleet.core.status import FINAL
from docfleet.core.storage import STEPS, execution_folder, remove_work, resolve_folder

log = structlog.get_logger(__name__)

GRACE_SECONDS = 5.0
"""How long after its end the folder of an execution is left to its callback."""
MAX_EXECUTIONS = 50

_FINAL = executions.c.status.in_([status.value for status in FINAL])


@dataclass(frozen=True)
class Housekeeping:
    """Runs the chores. The fields are what the chores need."""

    database: Database
    settings: BackendSettings
    slots: Slots
    staging: Staging

    def run(self, *, is_leader: bool) -> None:
        """Do the chores of this backend; those of the fleet only where it ``is_leader``: it ran the sweep."""
        for chore in CHORES:
            if is_leader or chore.every_backend:
                try:
                    chore.run(self)
                except Exception:  # the boundary of a chore: one that always fails must not block the others
                    log.exception("sweep.chore_failed", chore=chore.name)


class Chore(NamedTuple):
    """One chore. ``every_backend``: every backend does it, not only the one that ran the sweep."""

    name: str
    run: Callable[[Housekeeping], object]
    every_backend: bool = False


CHORES = (
    Chore("note what executions wait for", lambda h: waiting_notes.write(h.database)),
    Chore("free the places of ended calls", lambda h: h.slots.purge(h.database), every_backend=True),
    Chore("delete staged files", lambda h: h.staging.purge(h.database), every_backend=True),
    Chore("delete results", lambda h: delete_results(h.database, h.settings.execution_result_ttl_seconds)),
    Chore("delete working folders", lambda h: remove_folders(h.database, h.settings.execution_storage_root)),
    Chore(
        "delete results of steps",
        lambda h: delete_steps(h.settings.execution_storage_root, h.settings.step_results_seconds),
    ),
    Chore(
        "delete executions",
        lambda h: delete_executions(h.database, h.settings.execution_retention_days, h.settings.execution_storage_root),
    ),
    Chore("delete notifications", lambda h: notifications.delete_old(h.database, h.settings.outbox_retention_days)),
    Chore(
        "archive logs",
        lambda h: archive.archive(h.database, h.settings.execution_storage_root, h.settings.log_retention_seconds),
    ),
    Chore(
        "delete archived logs",
        lambda h: archive.delete_old(h.settings.execution_storage_root, h.settings.log_archive_days * SECONDS_PER_DAY),
    ),
    Chore("delete ticks", lambda h: delete_ticks(h.database, h.settings.schedule_history_days)),
)
"""In their order."""


def remove_folders(database: Database, root: str | None) -> int:
    """Delete the working folders of ended executions below the storage ``root``, but not their uploads. Returns their
    number.

    A folder without the row of an ended execution is left alone.
    """
    if root is None:
        return 0
    folders = {path.name for path in Path(root).glob("*/*/*") if path.is_dir()}
    ended: list[Record] = []
    with database.reading() as connection:
        for part in chunks(list(folders)):
            ended += connection.execute(
                select(executions.c.id, executions.c.organization_id, executions.c.workflow_id).where(
                    executions.c.id.in_(part), _FINAL, executions.c.finished_at < db_now() - GRACE_SECONDS
                )
            ).all()
    removed = 0
    for row in ended:
        try:
            folder = resolve_folder(Path(root), execution_folder(row.organization_id, row.workflow_id, row.id))
            removed += remove_work(folder)
        except UnsafePath:
            continue
        except OSError as error:
            log.warning("folder.not_removed", execution_id=row.id, error=str(error))
    return removed


def delete_steps(root: str | None, seconds: float) -> int:
    """Delete results of steps that were written below the storage ``root`` more than ``seconds`` ago. Returns their
    number."""
    if root is None:
        return 0
    old = time.time() - seconds
    removed = 0
    for folder in Path(root, STEPS).glob("*/*"):
        for path in folder.iterdir():
            try:
                if path.lstat().st_mtime >= old:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
            except FileNotFoundError:
                continue  # deleted meanwhile: its file is done
            removed += 1
        try:
            if folder.stat().st_mtime < old:
                folder.rmdir()
        except OSError:
            continue  # it is not empty
    return removed


def delete_executions(database: Database, days: float, root: str | None = None) -> int:
    """Delete executions that ended more than ``days`` ago, with their files, results and the evidence below the storage
    ``root``. Returns their number. 0 days: none.

    The file history, usage and deliveries stay.
    """
    if days <= 0:
        return 0
    with database.writing() as connection:
        rows = list(
            connection.execute(
                select(executions.c.id, executions.c.organization_id)
                .where(_FINAL, executions.c.finished_at < db_now() - days * SECONDS_PER_DAY)
                .order_by(executions.c.finished_at)
                .limit(MAX_EXECUTIONS)
            )
        )
        old = [row.id for row in rows]
        for part in chunks(old):
            connection.execute(delete(executions).where(executions.c.id.in_(part)))
    for row in rows:
        evidence.delete(root, row.organization_id, row.id)
    if old:
        log.info("executions.forgotten", executions=len(old))
    return len(old)


def delete_results(database: Database, older_than: float) -> int:
    """Delete the results of API runs that ended more than ``older_than`` seconds ago. Returns their number."""
    with database.writing() as connection:
        return results.delete_expired(connection, older_than)


def delete_ticks(database: Database, days: float) -> int:
    """Delete ticks of schedules that were decided more than ``days`` ago. Returns their number. 0 days: none."""
    with database.writing() as connection:
        return schedules.delete_old(connection, days)
