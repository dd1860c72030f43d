"""Presence: workers announce themselves, and report which of them have ended."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from docfleet.backend.executions.sweeper import Sweeper
from docfleet.backend.platform.db import Database
from docfleet.backend.presence import repository as presence
from docfleet.core.presence import EndedWorkers, WorkerBeat, WorkerBeatAnswer


@post("/workers/beat", status_code=200, sync_to_thread=True, opt={"organization": False})
def worker_beat(
    data: JSONBody[WorkerBeat], database: NamedDependency[Database], sweeper: NamedDependency[Sweeper]
) -> WorkerBeatAnswer:
    """A worker lives. What another one held that has been silent for too long is recovered at once."""
    with database.writing() as connection:
        answer = presence.beat(connection, data)
        somebody_died = bool(presence.dead(connection))
    if somebody_died:
        sweeper.wake()
    return answer


@post("/workers/ended", status_code=200, sync_to_thread=True, opt={"organization": False})
def workers_ended(
    data: JSONBody[EndedWorkers], database: NamedDependency[Database], sweeper: NamedDependency[Sweeper]
) -> dict[str, bool]:
    """The processes of these workers have ended. What they held is recovered at once."""
    with database.writing() as connection:
        presence.end(connection, data.nodes)
    sweeper.wake()
    return {"success": True}


handlers = [worker_beat, workers_ended]
