"""Vital signs of a worker: numbers in memory that its parent, its children and its health process share.

Each number has one writer, so none needs a lock: the header is the parent's, a slot belongs to the child that has it,
and a child that gets the slot of a dead one continues its counts.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from billiard.process import current_process
from celery import bootsteps, signals

BEAT_SECONDS = 1.0
_TASK_FIELDS = ("started", "succeeded", "failed", "seconds")
_SLOT_FIELDS = ("alive", "busy", "children", "lost")
_HEADER = ("started_at", "ready", "beat", "unconnected_since", "ending_since")


class Vitals:
    """The numbers. Times are seconds of the monotonic clock, which all processes of a machine share; 0 means never."""

    def __init__(self, tasks: Iterable[str], slots: int) -> None:
        self.tasks = tuple(tasks)
        self.slots = slots
        self._width = len(_SLOT_FIELDS) + len(self.tasks) * len(_TASK_FIELDS)
        self._numbers = memoryview(mmap.mmap(-1, 8 * (len(_HEADER) + slots * self._width))).cast("d")
        now = time.monotonic()
        self.set(started_at=now, beat=now, unconnected_since=now)
        self._task_started_at = 0.0

    def get(self, name: str) -> float:
        """A number of the header."""
        return self._numbers[_HEADER.index(name)]

    def set(self, **numbers: float) -> None:
        """Set numbers of the header."""
        for name, value in numbers.items():
            self._numbers[_HEADER.index(name)] = value

    def total(self, field: str, task: str | None = None) -> float:
        """The sum of a field over the slots; of one task's field where ``task`` is given."""
        offset = self._offset(field, task)
        return sum(self._numbers[self._slot(slot) + offset] for slot in range(self.slots))

    def child_started(self) -> None:
        """In a child, before its first task. A predecessor that did not report its end was lost."""
        if self._of_slot("alive"):
            self._add("lost")
        self._put("busy", 0)
        self._put("alive", 1)
        self._add("children")

    def child_ended(self) -> None:
        """In a child, as its last act."""
        self._put("alive", 0)

    def task_started(self, task: str) -> None:
        """In a child."""
        self._task_started_at = time.monotonic()
        self._put("busy", 1)
        if task in self.tasks:
            self._add("started", task)

    def task_ended(self, task: str, *, succeeded: bool) -> None:
        """In a child, after each task."""
        self._put("busy", 0)
        if task in self.tasks:
            self._add("succeeded" if succeeded else "failed", task)
            self._add("seconds", task, time.monotonic() - self._task_started_at)

    def _offset(self, field: str, task: str | None) -> int:
        if task is None:
            return _SLOT_FIELDS.index(field)
        return len(_SLOT_FIELDS) + self.tasks.index(task) * len(_TASK_FIELDS) + _TASK_FIELDS.index(field)

    def _slot(self, slot: int) -> int:
        return len(_HEADER) + slot * self._width

    def _place(self, field: str, task: str | None = None) -> int:
        # A pool without children runs tasks in the parent, which has no index.
        mine = int(getattr(current_process(), "index", 0) or 0) % self.slots
        return self._slot(mine) + self._offset(field, task)

    def _of_slot(self, field: str) -> float:
        return self._numbers[self._place(field)]

    def _put(self, field: str, value: float) -> None:
        self._numbers[self._place(field)] = value

    def _add(self, field: str, task: str | None = None, amount: float = 1) -> None:
        self._numbers[self._place(field, task)] += amount


class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the worker that records a beat as long as the event loop runs."""

    vitals: ClassVar[Vitals | None] = None
    requires: ClassVar[tuple[str, ...]] = ("celery.worker.components:Hub",)

    def __init__(self, worker: Any, **options: Any) -> None:
        self._timer: Any = None
        super().__init__(worker, **options)

    def create(self, worker: Any) -> Any:
        """Return the step: Celery calls ``register_with_event_loop`` of it."""
        return self

    def start(self, worker: Any) -> None:
        """Nothing to do: there is no beat before the event loop runs."""

    def stop(self, worker: Any) -> None:
        """Nothing to undo: an ending worker is judged by its grace period."""

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Add the timer at each start of the event loop: once per connection, because Celery clears the timers."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = hub.call_repeatedly(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        if self.vitals is not None:
            self.vitals.set(beat=time.monotonic())


class Connected(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the consumer. Celery stops and starts such steps when the connection to the broker is lost."""

    requires: ClassVar[tuple[str, ...]] = ("celery.worker.consumer:Connection",)

    def start(self, consumer: Any) -> None:
        """There is a connection."""
        if Pulse.vitals is not None:
            Pulse.vitals.set(unconnected_since=0.0, beat=time.monotonic())

    def stop(self, consumer: Any) -> None:
        """There is none, or it is not needed any more."""
        if Pulse.vitals is not None:
            Pulse.vitals.set(unconnected_since=time.monotonic())


def write_vitals(app: Any, vitals: Vitals) -> None:
    """Have the worker of ``app`` write its vital signs. Called before the worker is made."""
    Pulse.vitals = vitals
    app.steps["worker"].add(Pulse)
    app.steps["consumer"].add(Connected)
    signals.worker_ready.connect(lambda **_: vitals.set(ready=1), weak=False)
    # In the signal's handler: readiness ends before anything else does.
    signals.worker_shutting_down.connect(lambda **_: vitals.set(ending_since=time.monotonic()), weak=False)
    signals.worker_process_init.connect(lambda **_: vitals.child_started(), weak=False)
    signals.worker_process_shutdown.connect(lambda **_: vitals.child_ended(), weak=False)
    signals.task_prerun.connect(lambda task, **_: vitals.task_started(task.name), weak=False)
    signals.task_postrun.connect(
        lambda task, state, **_: vitals.task_ended(task.name, succeeded=state == "SUCCESS"), weak=False
    )
