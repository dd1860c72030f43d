"""Presence: what a worker announces to the backend every few seconds, from its start to its end."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from docfleet.core.names import QueueName, WorkerType
from docfleet.core.wire import Wire

MISSED_BEATS = 6
"""A worker that misses so many beats counts as dead."""
MAX_NODE_LENGTH = 300
MAX_PLACE_LENGTH = 200
MAX_BEAT_SECONDS = 600.0

# The backend checks these bounds, with words of its own.
_Node = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_NODE_LENGTH})]
_Slots = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 2**31 - 1})]
_Number = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 2**63 - 1})]
_Place = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_PLACE_LENGTH})]
_BeatSeconds = Annotated[float, msgspec.Meta(extra_json_schema={"exclusiveMinimum": 0, "maximum": MAX_BEAT_SECONDS})]


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

    node: _Node
    type: WorkerType
    queues: list[QueueName]
    slots: _Slots
    state: WorkerState
    seconds: _BeatSeconds
    place: _Place = ""
    pid: _Number = 0
    started: _Number = 0


class WorkerBeatAnswer(Wire):
    """``neighbours``: the other workers of its place that have not ended as far as the backend knows."""

    neighbours: list[WorkerProcess] = []


class EndedWorkers(Wire):
    """Workers whose main process has certainly ended: by themselves, or seen by a neighbour."""

    nodes: list[str]
