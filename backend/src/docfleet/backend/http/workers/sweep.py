"""The sweep: requested by each tick of a scheduler."""

from __future__ import annotations

import time

from litestar import post
from litestar.di import NamedDependency

from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions.sweep import Sweep, SweepResult
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.housekeeping import Housekeeping
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.settings import BackendSettings


@post("/sweep", status_code=200, sync_to_thread=True, opt={"organization": False})
def sweep(
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    settings: NamedDependency[BackendSettings],
    slots: NamedDependency[Slots],
    staging: NamedDependency[Staging],
    sweep_metrics: NamedDependency[SweepMetrics],
) -> SweepResult:
    """Recover what was lost, for all organizations."""
    started = time.monotonic()
    current = Sweep(database, dispatcher, settings)
    result = current.run()
    if current.is_leader:
        sweep_metrics.add(result, time.monotonic() - started)
    Housekeeping(database, settings, slots, staging).run(is_leader=current.is_leader)
    return result


handlers = [sweep]
