"""Fair shares of the file-processing slots: which batch keeps its slot, and how many batches may be open.

The broker's queue is first in, first out. It becomes a round robin because a batch that has used its quantum while
others wait sends itself again and returns its slot. The rules are pure functions over what the rows say; ``contention``
reads the rows.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from docfleet.backend.settings import BackendSettings
from docfleet.core.batch_calls import SlotUse

USAGE_SECONDS = 20.0
"""The memory of a share: use that is this old counts for 1/e. Longer, a newcomer would displace the others for longer;
shorter, an organization with more batches in the queue would get more."""
MESSAGE_SECONDS = 0.5
"""How long the message of an execution that has just been started may be on its way to the queue."""


class Policy(msgspec.Struct, frozen=True):
    """The settings of fair shares. ``open_batches`` is of all organizations together."""

    quantum_seconds: float = 3.0
    quantum_pages: int = 500
    weight: int = 1
    open_batches: int = 8

    @classmethod
    def of(cls, settings: BackendSettings) -> Policy:
        """The policy of the settings."""
        return cls(
            settings.quantum_seconds, settings.quantum_pages, settings.fair_share_weight, settings.max_open_batches
        )

    def is_used_up(self, use: SlotUse) -> bool:
        """Whether a batch has used its quantum."""
        return use.seconds >= self.quantum_seconds or use.pages >= self.quantum_pages

    def bound(self, weight: int, all_weights: int, slots: int) -> int:
        """How many batches of its runs an organization may have open: its part, by weight, of two batches per slot of
        the fleet. Alone, it can fill the fleet while batches end and others start. With more organizations than slots,
        the queue itself has the proportions of the weights."""
        return max(weight, math.ceil(max(self.open_batches, 2 * slots) * weight / max(all_weights, weight)))


class Execution(msgspec.Struct, frozen=True):
    """An execution with batches: ``sent`` of them are in the queue or in slots, ``running`` in slots.

    ``progress_at`` is when it was started, or last claimed or reported files. ``slots`` are those of the fleet, as its
    orchestrator knew."""

    id: str
    organization_id: str
    is_api: bool
    running: int
    sent: int
    has_free_files: bool
    progress_at: float

    slots: int = 0

    @property
    def waits(self) -> bool:
        """Whether it has files to process and a batch in the queue."""
        return self.has_free_files and self.running < self.sent


class OrganizationShare(msgspec.Struct, frozen=True):
    """``used``: slot seconds that the organization used lately while others waited (``decayed``)."""

    weight: int = 1
    used: float = 0.0


class Fleet(msgspec.Struct, frozen=True):
    """Everybody who has or wants slots, by id, at the database's time ``now``."""

    executions: dict[str, Execution]
    organizations: dict[str, OrganizationShare]
    now: float


def decayed(used: float, seconds: float) -> float:
    """What is left of ``used`` after ``seconds``."""
    return used * math.exp(-max(0.0, seconds) / USAGE_SECONDS)


def open_batches(fleet: Fleet, organization_id: str) -> int:
    """How many batches of the organization's runs are in the queue or in slots."""
    return sum(
        run.sent for run in fleet.executions.values() if run.organization_id == organization_id and not run.is_api
    )


def room(fleet: Fleet, organization_id: str, policy: Policy, slots: int = 0) -> int:
    """How many more batches of the organization's runs may be open, while all organizations with runs compete; below 0
    when too many are. ``slots``: of the fleet, in case a new execution knows of more."""
    slots = max(slots, max((execution.slots for execution in fleet.executions.values()), default=0))
    competing = {run.organization_id for run in fleet.executions.values() if not run.is_api} | {organization_id}
    weights = {name: fleet.organizations.get(name, OrganizationShare(policy.weight)).weight for name in competing}
    bound = policy.bound(weights[organization_id], sum(weights.values()), slots)
    return bound - open_batches(fleet, organization_id)


def with_use(fleet: Fleet, organization_id: str, seconds: float) -> Fleet:
    """The fleet after ``organization_id`` has used as many more seconds while others waited."""
    organization = fleet.organizations[organization_id]
    used = msgspec.structs.replace(organization, used=organization.used + seconds)
    return Fleet(fleet.executions, {**fleet.organizations, organization_id: used}, fleet.now)


def others_wait(fleet: Fleet, mine: Execution, use: SlotUse) -> bool:
    """Whether another execution waits for a slot as this one's."""
    return bool(_waiting(fleet, mine, use))


def has_to_yield(fleet: Fleet, mine: Execution, use: SlotUse, policy: Policy) -> bool:
    """Whether a batch of ``mine`` has to give up the slot it works in (``running`` counts it).

    It keeps the slot while only organizations with greater shares wait; and until its quantum is used up, unless its
    own has several slots, and one without any has begun to wait since this batch took its slot.
    """
    shares = _Shares(fleet, policy)
    used_up, several = policy.is_used_up(use), shares.running(mine) > 1

    def is_new(rival: Execution) -> bool:
        return shares.running(rival) == 0 and rival.progress_at > fleet.now - use.seconds

    def goes_first(rival: Execution) -> bool:
        if not used_up and not (several and is_new(rival)):
            return False
        if rival.organization_id == mine.organization_id:
            return rival.running < mine.running
        # Equal is enough: this batch has had its turn.
        return shares.of(rival, more=1) <= shares.of(mine, more=0)

    return any(_by_kind(rival, mine) or goes_first(rival) for rival in _waiting(fleet, mine, use))


def has_to_step_back(fleet: Fleet, mine: Execution, use: SlotUse, policy: Policy) -> bool:
    """Whether a batch of ``mine`` that has just been taken from the queue goes back to its end (``running`` does not
    count it).

    An execution that has waited since before this batch yielded is no reason: its message was ahead in the queue, so it
    has been taken, or lost. So each batch starts at the latest when the queue has turned round once without progress.
    """
    shares = _Shares(fleet, policy)

    def goes_first(rival: Execution) -> bool:
        if rival.organization_id == mine.organization_id:
            return False
        # A batch at the head of the queue is not sent back for a difference that its turn would make up for.
        return shares.of(rival, more=1) + shares.turn(mine) < shares.of(mine, more=1)

    since = use.yielded_at - MESSAGE_SECONDS
    rivals = [rival for rival in _waiting(fleet, mine, use) if rival.progress_at > since]
    return any(_by_kind(rival, mine) or goes_first(rival) for rival in rivals)


def _waiting(fleet: Fleet, mine: Execution, use: SlotUse) -> list[Execution]:
    """The executions that wait for a slot as this one's. A batch of an API call never yields to a run."""
    return [
        rival
        for rival in fleet.executions.values()
        if rival.id != mine.id and rival.waits and (use.takes_api if rival.is_api else not mine.is_api)
    ]


def _by_kind(rival: Execution, mine: Execution) -> bool:
    """Whether ``rival`` goes first because calls of an API go before runs."""
    return rival.is_api and not mine.is_api


class _Shares:
    """Slot seconds per weight: what an organization has used lately, and a quantum for each of its batches."""

    def __init__(self, fleet: Fleet, policy: Policy) -> None:
        self._organizations = fleet.organizations
        self._quantum = policy.quantum_seconds
        self._running: Counter[tuple[str, bool]] = Counter()
        for execution in fleet.executions.values():
            self._running[execution.organization_id, execution.is_api] += execution.running

    def of(self, execution: Execution, *, more: int) -> float:
        """The share of its organization, with ``more`` batches of its kind than now."""
        organization = self._organization(execution)
        return (organization.used + (self.running(execution) + more) * self._quantum) / organization.weight

    def running(self, execution: Execution) -> int:
        """How many batches of its kind its organization has in slots."""
        return self._running[execution.organization_id, execution.is_api]

    def turn(self, execution: Execution) -> float:
        """What one turn adds to the share of its organization."""
        return self._quantum / self._organization(execution).weight

    def _organization(self, execution: Execution) -> OrganizationShare:
        return self._organizations.get(execution.organization_id, OrganizationShare())
