"""The parent reads which file a dead child was working on."""

from __future__ import annotations

import os
import warnings
from typing import Any

import pytest

from docfleet.workers.shared.infrastructure.process import file_in_work


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_in_work, "_table", None)
    file_in_work.watch_files()


def in_child(work: Any) -> int:
    """Run ``work`` in a forked child that then dies at once; its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        work()
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    return child


@pytest.mark.usefixtures("table")
def test_the_parent_reads_which_file_a_dead_child_was_at() -> None:
    name = "0b1c2d3e-1111-2222-3333-444455556666"

    def die_in_the_middle() -> None:
        with file_in_work.working_on(name):
            os.kill(os.getpid(), 9)

    def die_after() -> None:
        with file_in_work.working_on(name):
            pass

    assert file_in_work.file_of(in_child(die_in_the_middle)) == name
    assert file_in_work.file_of(in_child(die_after)) is None
    assert file_in_work.file_of(in_child(lambda: None)) is None


@pytest.mark.usefixtures("table")
def test_two_children_in_one_slot_never_name_each_others_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_in_work, "SLOTS", 1)

    def die_at(name: str) -> None:
        with file_in_work.working_on(name):
            os.kill(os.getpid(), 9)

    first, second = in_child(lambda: die_at("first")), in_child(lambda: die_at("second"))
    assert (file_in_work.file_of(first), file_in_work.file_of(second)) == (None, "second")
