"""Presence: what a worker announces to the backend every few seconds, from its start to its end."""

from __future__ import annotations

from enum import StrEnum

from docfleet.core.names import QueueName, WorkerType
from docfleet.core.wire import Wire

MISSED_BEATS = 6
"""A worker that misses so many beats counts as dead."""


class WorkerState(StrEnum):
    """What a worker does with messages."""

    STARTING = "starting"
    READY = "ready"
    UNCONNECTED = "unconnected"
    """It has no connection to the broker."""
    ENDING = "ending"
    """It takes no more messages and finishes what is in work."""


class WorkerProcess(Wire):
    """The main process of a worker, as a process of the same ``place`` can check it.

    ``started`` is in clock ticks since the boot: a number that is given to a later process has another start.
    """

    node: str
    pid: int
    started: int


class WorkerBeat(Wire):
    """A worker lives. The next beat comes within ``seconds``.

    ``node`` is the name of this start; owners of its leases begin with it. Processes with one ``place`` (not empty) see
    each other: they run on one kernel, in one namespace of process ids.
    """

    node: str
    type: WorkerType
    queues: list[QueueName]
    slots: int
    state: WorkerState
    seconds: float
    place: str = ""
    pid: int = 0
    started: int = 0


class WorkerBeatAnswer(Wire):
    """``neighbours``: the other workers of its place that have not ended as far as the backend knows."""

    neighbours: list[WorkerProcess] = []


class EndedWorkers(Wire):
    """Workers whose main process has certainly ended: by themselves, or seen by a neighbour."""

    nodes: list[str]
