"""The sweep: requested by each tick of a scheduler."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency

from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions.sweep import SweepResult
from docfleet.backend.executions.sweeper import Sweeper
from docfleet.backend.housekeeping import Housekeeping
from docfleet.backend.platform.db import Database
from docfleet.backend.settings import BackendSettings


@post("/sweep", status_code=200, sync_to_thread=True, opt={"organization": False})
def sweep(
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    slots: NamedDependency[Slots],
    staging: NamedDependency[Staging],
    sweeper: NamedDependency[Sweeper],
) -> SweepResult:
    """Recover what was lost, for all organizations."""
    current, result = sweeper.sweep()
    Housekeeping(database, settings, slots, staging).run(is_leader=current.is_leader)
    return result


handlers = [sweep]
