"""What a call costs, counted: internal calls, and files that stay."""

from __future__ import annotations

from bench.api import WORKERS, calls_of_one, publish
from bench.fleet import Fleet as CountedFleet

CALLS = 4


def test_a_call_with_one_file_costs_four_internal_calls_and_leaves_no_file_behind() -> None:
    with CountedFleet(workers=WORKERS, counted=True) as fleet:
        calls = calls_of_one(fleet, publish(fleet))
        left = [path for path in fleet.system.data.storage.rglob("*") if path.is_file()]
    assert sum(calls.values()) == CALLS, calls
    assert left == []
    for end in ("/files/register/", "/files/claim/", "/files/report/"):
        assert any(path.endswith(end) for path in calls), f"no call to {end} was counted"
