"""The worker announces itself to the backend, from before its first message to its end.

The companion process does it (``companion``): it has no part in the pool, so it may wait for the backend. It goes on
while the event loop stands still because the broker is away. It looks at the other workers of its place, too, and
reports those whose process has ended, as it does of its own worker.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable

import msgspec
import structlog

from docfleet.core.names import QueueName, WorkerType
from docfleet.core.presence import EndedWorkers, WorkerBeat, WorkerBeatAnswer, WorkerState
from docfleet.workers.shared.infrastructure.process.backend_post import Refused, post
from docfleet.workers.shared.infrastructure.process.place import has_ended, started, this_place
from docfleet.workers.shared.infrastructure.process.vitals import Vitals

log = structlog.get_logger()

POLL_SECONDS = 0.5
"""How soon a change of the worker's state is announced, and its end."""
RETRY_SECONDS = 1.0
"""Until the next beat when the backend did not take one: a worker that dies unannounced is missed by nobody."""
BEAT_TIMEOUT_SECONDS = 5.0
GOODBYE_SECONDS = 1.0
_FAILURES = (OSError, http.client.HTTPException, Refused, msgspec.DecodeError)


class Presence:
    """The presence of one start of a worker. Made in its main process."""

    def __init__(
        self, node: str, worker: WorkerType, queues: tuple[QueueName, ...], slots: int, seconds: float, vitals: Vitals
    ) -> None:
        """``seconds`` lie between two beats."""
        self._vitals = vitals
        pid = os.getpid()
        start = started(pid)
        self._beat = WorkerBeat(
            node=node,
            type=worker,
            queues=list(queues),
            slots=slots,
            state=WorkerState.STARTING,
            seconds=seconds,
            place="" if start is None else this_place(),
            pid=pid,
            started=start or 0,
        )
        self._failed = False

    def keep(self, alive: Callable[[], bool]) -> None:
        """Announce the worker as long as it is ``alive``, then report its end."""
        period = self._beat.seconds
        due = 0.0
        while alive():
            state = state_of(self._vitals)
            if state is not self._beat.state or time.monotonic() >= due:
                self._beat.state = state
                due = time.monotonic() + (period if self._announce() else min(period, RETRY_SECONDS))
            time.sleep(min(POLL_SECONDS, period / 4))
        self.end()

    def end(self) -> None:
        """Report that the worker has ended. Never raises: neighbours report it, too."""
        _report_ended([self._beat.node])

    def _announce(self) -> bool:
        """One beat; False when the backend did not take it."""
        try:
            raw = post("v1/workers/beat/", self._beat, seconds=BEAT_TIMEOUT_SECONDS)
            answer = msgspec.json.decode(raw, type=WorkerBeatAnswer)
        except _FAILURES as error:
            if not self._failed:
                log.warning("presence.not_announced", error=str(error) or type(error).__name__)
            self._failed = True
            return False
        self._failed = False
        ended = [neighbour.node for neighbour in answer.neighbours if has_ended(neighbour)]
        if ended:
            log.warning("presence.neighbours_ended", nodes=ended)
            _report_ended(ended)
        return True


def state_of(vitals: Vitals) -> WorkerState:
    """What the worker does with messages."""
    if vitals.get("ending_since"):
        return WorkerState.ENDING
    if not vitals.get("ready"):
        return WorkerState.STARTING
    return WorkerState.UNCONNECTED if vitals.get("unconnected_since") else WorkerState.READY


def _report_ended(nodes: list[str]) -> None:
    try:
        post("v1/workers/ended/", EndedWorkers(nodes=nodes), seconds=GOODBYE_SECONDS)
    except _FAILURES as error:
        log.info("presence.end_not_reported", error=str(error) or type(error).__name__)
