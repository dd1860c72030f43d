"""A fleet in discrete events: queues of a broker, slots, files of given durations; no process, no clock.

What decides is the real code: ``fair_share`` of the backend, and ``Slot`` of the workers. Times are seconds.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field

from docfleet.backend.executions import fair_share
from docfleet.backend.executions.claims import CONTENDED_CLAIM_FILES
from docfleet.backend.executions.fair_share import Fleet, OrganizationShare, Policy
from docfleet.core.batch_calls import SlotAnswer
from docfleet.workers.shared.workflow.execution.batch import (
    MAX_REPORT_SECONDS,
    REPORT_FILES,
    REPORT_SECONDS,
    REPORT_SHARE,
)
from docfleet.workers.shared.workflow.execution.slot import Slot

START_SECONDS = 0.015
"""A batch takes a slot: its message, its claim."""
REPORT_CALL_SECONDS = 0.008
AGAIN_SECONDS = 0.005
"""A batch sends itself again."""
CLAIM_FILES = 50


@dataclass(eq=False)
class Run:
    """An execution. ``seconds`` are the durations of its files; ``pages`` those of each of them."""

    organization: str
    seconds: deque[float]
    planned: int
    is_api: bool = False
    listing: float = 0.2
    pages: int = 1
    id: str = ""
    submitted: float = 0.0
    sent: int = 0
    running: int = 0
    left: int = 0
    progress_at: float = 0.0
    ended: float = math.nan

    @property
    def took(self) -> float:
        """From submission to the end."""
        return self.ended - self.submitted


@dataclass(eq=False)
class Ticket:
    """A batch message."""

    run: Run
    yielded_at: float = 0.0


@dataclass
class Counts:
    """What happened."""

    yields: int = 0
    steps_back: int = 0
    taken_back: int = 0
    starts: int = 0
    overhead: float = 0.0
    worked: dict[str, float] = field(default_factory=dict)


class Simulation:
    """``slots`` take both queues, API calls first; ``api_slots`` only API calls. ``fair`` False: as before."""

    def __init__(
        self,
        slots: int,
        *,
        api_slots: int = 0,
        policy: Policy = Policy(),
        weights: dict[str, int] | None = None,
        fair: bool = True,
        hints: bool = True,
    ) -> None:
        self.now = 0.0
        self.policy = policy
        self.counts = Counts()
        self.runs: dict[str, Run] = {}
        self._slots = slots
        self._fair = fair
        self._hinting = hints
        self._weights = weights or {}
        self._used: dict[str, tuple[float, float]] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._queues: dict[bool, deque[Ticket]] = {False: deque(), True: deque()}
        self._hints = (0, 0)
        self._idle: list[tuple[bool, Generator[float | None, None, None]]] = []
        for only_api in [False] * slots + [True] * api_slots:
            self._resume(self._slot(only_api), only_api)

    def submit(self, at: float, run: Run) -> Run:
        """An execution is created at ``at``; its batches are sent after its listing."""
        run.id = f"run-{next(self._number)}"
        run.submitted = at
        self._at(at + run.listing, lambda: self._start(run))
        return run

    def lose_message(self) -> None:
        """The broker loses the last message about a run."""
        self._queues[False].pop()

    def advance(self, until: float = math.inf) -> None:
        """Let everything happen before ``until``."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        if until < math.inf:
            self.now = until

    def _at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._number), event))

    def _resume(self, slot: Generator[float | None, None, None], only_api: bool) -> None:
        wait = next(slot)
        if wait is None:
            self._idle.append((only_api, slot))
        else:
            self._at(self.now + wait, lambda: self._resume(slot, only_api))

    def _send(self, ticket: Ticket) -> None:
        self._queues[ticket.run.is_api].append(ticket)
        for place in self._idle:
            if ticket.run.is_api or not place[0]:
                self._idle.remove(place)
                self._at(self.now, lambda place=place: self._resume(place[1], place[0]))  # type: ignore[misc]
                return

    def _start(self, run: Run) -> None:
        self.runs[run.id] = run
        run.left, run.progress_at = len(run.seconds), self.now
        room = self._room(run.organization)
        run.sent = run.planned if run.is_api else min(run.planned, max(0, room)) if self._fair else run.planned
        self._put(run, run.sent)

    def _put(self, run: Run, number: int) -> None:
        for _ in range(number):
            self._send(Ticket(run))
        if number and self._hinting:
            runs, calls = self._hints
            self._hints = runs + (not run.is_api), calls + run.is_api

    def _room(self, organization: str) -> int:
        fleet = self._fleet()
        return fair_share.room(fleet, organization, self.policy, self._slots)

    def _fill(self, organization: str | None = None) -> None:
        for run in sorted(self.runs.values(), key=lambda run: run.submitted):
            if run.sent < run.planned and run.seconds and not run.is_api and organization in (None, run.organization):
                more = min(run.planned - run.sent, len(run.seconds), self._room(run.organization))
                if more > 0:
                    run.sent, run.progress_at = run.sent + more, self.now
                    self._put(run, more)

    def _slot(self, only_api: bool) -> Generator[float | None, None, None]:
        while True:
            queue = next(
                (self._queues[api] for api in ((True,) if only_api else (True, False)) if self._queues[api]), None
            )
            if queue is None:
                yield None
            else:
                yield from self._batch(queue.popleft(), takes_api=True)

    def _batch(self, ticket: Ticket, *, takes_api: bool) -> Generator[float | None, None, None]:
        run = ticket.run
        slot = Slot(ticket.yielded_at, clock=lambda: self.now, hints=lambda: self._hints)
        self.counts.starts += 1
        seen = self._hints
        yield self._cost(START_SECONDS)
        if self._ask(run, slot, seen, starting=True):
            self.counts.steps_back += 1
            yield self._cost(AGAIN_SECONDS)
            self._again(run, slot)
            return
        run.running += 1
        reported, began, unreported = self.now, self.now, 0
        limit = CONTENDED_CLAIM_FILES if slot.answer.others_wait else CLAIM_FILES
        while page := self._claim(run, limit):
            while page:
                seconds = page.popleft()
                yield seconds
                slot.add_file(run.pages)
                unreported += 1
                worked = self.counts.worked
                worked[run.organization] = worked.get(run.organization, 0.0) + seconds
                shortest = max(REPORT_SECONDS, slot.answer.quantum_seconds if ticket.yielded_at else 0.0)
                wait = min(max(shortest, REPORT_SHARE * (self.now - began)), MAX_REPORT_SECONDS)
                due = self.now - reported >= wait or unreported >= REPORT_FILES or slot.report_is_due()
                if due or not page:
                    seen = self._hints
                    yield self._cost(REPORT_CALL_SECONDS)
                    run.left -= unreported
                    reported, unreported, run.progress_at = self.now, 0, self.now
                    if not run.left:
                        run.ended = self.now
                        del self.runs[run.id]
                    elif self._ask(run, slot, seen, starting=False, goes_on=bool(page or run.seconds)):
                        run.seconds.extendleft(reversed(page))
                        run.running -= 1
                        self.counts.yields += 1
                        yield self._cost(AGAIN_SECONDS)
                        self._again(run, slot)
                        return
            limit = slot.claim_limit(CLAIM_FILES)
        run.running -= 1
        run.sent -= 1
        self._fill(None if run.left == 0 else run.organization)

    def _again(self, run: Run, slot: Slot) -> None:
        if not slot.answer.send_again:
            run.sent -= 1
            self.counts.taken_back += 1
            self._fill(run.organization)
        else:
            self._send(Ticket(run, slot.answer.now))

    def _claim(self, run: Run, limit: int) -> deque[float]:
        size = min(limit, max(1, math.ceil(len(run.seconds) / (2 * run.planned))), len(run.seconds))
        run.progress_at = self.now if size else run.progress_at
        return deque(run.seconds.popleft() for _ in range(size))

    def _ask(self, run: Run, slot: Slot, seen: tuple[int, int], *, starting: bool, goes_on: bool = True) -> bool:
        """What the backend answers: whether the batch has to give up its slot."""
        if not self._fair:
            return False
        use = slot.use()
        if use.contended_seconds:
            self._used[run.organization] = (self._decayed(run.organization) + use.contended_seconds, self.now)
        if not starting and not (self.policy.is_used_up(use) or use.contended_seconds or use.hinted):
            slot.answered(None, seen)
            return False
        fleet = self._fleet()
        answer = SlotAnswer(
            quantum_seconds=self.policy.quantum_seconds,
            quantum_pages=self.policy.quantum_pages,
            now=self.now,
            is_api=run.is_api,
        )
        mine = fleet.executions.get(run.id)
        if mine is not None:
            answer.send_again = run.is_api or self._room(run.organization) >= 0
            decide = fair_share.has_to_step_back if starting else fair_share.has_to_yield
            answer.others_wait = fair_share.others_wait(fleet, mine, use)
            answer.yield_slot = (
                goes_on
                and answer.others_wait
                and ((starting and not answer.send_again) or decide(fleet, mine, use, self.policy))
            )
        slot.answered(answer, seen)
        return answer.yield_slot

    def _fleet(self) -> Fleet:
        executions = {
            run.id: fair_share.Execution(
                run.id, run.organization, run.is_api, run.running, run.sent, bool(run.seconds), run.progress_at
            )
            for run in self.runs.values()
            if run.sent
        }
        names = {run.organization for run in self.runs.values()}
        return Fleet(
            executions, {name: OrganizationShare(self._weight(name), self._decayed(name)) for name in names}, self.now
        )

    def _weight(self, organization: str) -> int:
        return self._weights.get(organization, self.policy.weight)

    def _decayed(self, organization: str) -> float:
        used, at = self._used.get(organization, (0.0, 0.0))
        return fair_share.decayed(used, self.now - at)

    def _cost(self, seconds: float) -> float:
        self.counts.overhead += seconds
        return seconds


def jain(shares: Iterable[float]) -> float:
    """Jain's fairness index: 1 when all are equal, 1/n when one has everything."""
    values = list(shares)
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def p95(values: Iterable[float]) -> float:
    """The 95th percentile, by nearest rank."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]
