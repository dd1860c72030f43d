"""A child learns of the stop of its own execution and of no other."""

from __future__ import annotations

import os
import uuid
import warnings
from typing import Any

from docfleet.workers.shared.infrastructure.process import stop_hints


def test_a_child_hears_of_its_own_stop_and_of_no_other(stop_command: Any) -> None:
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    stop_command(mine)
    seen = stop_hints.stop_count()
    assert seen == 1 and not stop_hints.may_be_stopped(mine, since=seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        stop_command(other)
        os._exit(0)
    os.waitpid(child, 0)
    assert stop_hints.may_be_stopped(other, since=seen), "the memory is not shared"
    assert not stop_hints.may_be_stopped(mine, since=seen) and stop_hints.may_be_stopped(mine, since=0)


def test_a_child_that_missed_too_many_stops_checks_and_what_is_no_id_is_ignored(stop_command: Any) -> None:
    for _ in range(stop_hints.SLOTS + 1):
        stop_command(str(uuid.uuid4()))
    assert stop_hints.may_be_stopped(str(uuid.uuid4()), since=0)
    assert not stop_hints.may_be_stopped(str(uuid.uuid4()), since=1)
    for nonsense in ("", "nonsense", None, 7, "x" * 100_000):
        stop_command(nonsense)
    assert stop_hints.stop_count() == stop_hints.SLOTS + 1
