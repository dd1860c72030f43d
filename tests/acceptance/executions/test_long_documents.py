"""Documents that take all the time they may have, on a fleet of two slots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet, fill

pytestmark = pytest.mark.timeout(600)
SETTINGS = {
    "FILE_PROCESSING_CONCURRENCY": "2",
    "RUNNER_CONCURRENCY": "2",
    "TOOL_TIMEOUT_SECONDS": "50",
    "TOOL_FIRST_SECONDS": "2",
    "LEASE_SECONDS": "30",
}


@pytest.fixture
def two_slots(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, SETTINGS)
    yield fleet
    fleet.stop()


@pytest.mark.slow
def test_as_many_of_them_as_there_are_slots_stop_nobody(two_slots: Fleet, tmp_path: Path) -> None:
    hanging = fill(tmp_path / "long", {f"hang-{number}.txt": f"hang {number}" for number in range(2)})
    long = two_slots.begin(hanging, "actor")
    short = two_slots.run(
        fill(tmp_path / "short", {f"{number}.txt": f"words {number}" for number in range(6)}), "actor"
    )
    assert set(short.statuses.values()) == {"COMPLETED"}
    assert long.status == "EXECUTING", "the others were done meanwhile"
    found = long.wait(300.0).by_name
    assert {file.error_code for file in found.values()} == {"tool_timeout"}, [file.error for file in found.values()]
    assert all("50 s" in str(file.error) for file in found.values())
