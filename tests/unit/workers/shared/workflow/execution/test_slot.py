"""The slot of a batch: when it reports before the time, and how many files it claims."""

from __future__ import annotations

import pytest

from docfleet.core.batch_calls import SlotAnswer
from docfleet.workers.shared.workflow.execution.slot import MIN_SECONDS, Slot

QUANTUM = SlotAnswer(quantum_seconds=2.0, quantum_pages=10, others_wait=True)
QUIET = SlotAnswer(quantum_seconds=2.0, quantum_pages=10)


class Clock:
    """A clock and a count of hints that stand still until they are moved."""

    def __init__(self, answer: SlotAnswer | None) -> None:
        self.now = 100.0
        self.hints = (0, 0)
        self.slot = Slot(clock=lambda: self.now, hints=lambda: self.hints)
        self.slot.use()
        self.slot.answered(answer, self.hints)

    def after(self, seconds: float) -> Slot:
        self.now += seconds
        return self.slot


def test_a_quantum_that_is_used_up_while_others_wait_is_reported_once() -> None:
    clock = Clock(QUANTUM)
    assert not clock.after(1.9).report_is_due()
    assert clock.after(0.2).report_is_due()
    clock.slot.use()
    clock.slot.answered(QUANTUM, clock.hints)
    assert not clock.after(10.0).report_is_due(), "the regular reports are enough"


def test_pages_use_up_the_quantum_and_a_file_has_one_at_least() -> None:
    clock = Clock(QUANTUM)
    for pages in (0, 0, 7):
        clock.slot.add_file(pages)
    assert not clock.slot.report_is_due()
    clock.slot.add_file(0)
    assert clock.slot.use().pages == 10
    clock = Clock(QUANTUM)
    clock.slot.add_file(10)
    assert clock.slot.report_is_due()


@pytest.mark.parametrize("answer", [QUIET, None])
def test_nobody_waits_nothing_is_due(answer: SlotAnswer | None) -> None:
    assert not Clock(answer).after(1000.0).report_is_due()


def test_a_hint_is_reported_at_once_but_not_for_every_file() -> None:
    clock = Clock(QUIET)
    clock.after(0.01)
    clock.hints = (1, 0)
    assert not clock.slot.report_is_due()
    assert clock.after(MIN_SECONDS).report_is_due() and clock.slot.use().hinted
    clock.slot.answered(QUIET, clock.hints)
    assert not clock.after(MIN_SECONDS).report_is_due(), "it is answered"


def test_a_hint_that_arrives_during_a_report_is_not_taken_for_answered() -> None:
    clock = Clock(QUIET)
    before = clock.hints
    clock.hints = (0, 1)
    clock.slot.answered(QUIET, before)
    assert clock.after(MIN_SECONDS).report_is_due()


def test_a_hint_about_a_run_is_nothing_to_a_batch_of_a_call() -> None:
    clock = Clock(SlotAnswer(quantum_seconds=2.0, quantum_pages=10, is_api=True))
    clock.hints = (1, 0)
    assert not clock.after(10.0).report_is_due()
    clock.hints = (1, 1)
    assert clock.after(10.0).report_is_due()


def test_only_what_is_used_while_others_wait_is_contended() -> None:
    clock = Clock(QUIET)
    assert clock.after(3.0).use().contended_seconds == 0.0
    clock.slot.answered(QUANTUM, clock.hints)
    assert clock.after(3.0).use().contended_seconds == 3.0
    clock.slot.answered(None, clock.hints)
    assert clock.after(3.0).use().contended_seconds == 0.0


def test_a_claim_is_as_large_as_the_rest_of_the_quantum() -> None:
    clock = Clock(QUANTUM)
    assert clock.slot.claim_limit(50) == 50, "the pace is not known"
    clock.after(1.0)
    for _ in range(4):
        clock.slot.add_file(1)
    assert clock.slot.claim_limit(50) == 4
    assert clock.after(0.99).claim_limit(50) == 1
    assert Clock(QUIET).slot.claim_limit(50) == 50
