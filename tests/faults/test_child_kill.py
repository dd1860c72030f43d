"""T01: a pool child is killed at each point of its work; T02: a file that kills its process each time."""

from __future__ import annotations

import pytest
from world import World

FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
POINTS = (
    "batch.claim.before",
    "batch.claimed",
    "file.fetched",
    "tool.before",
    "tool.done",
    "delivery.before",
    "delivery.written",
    "report.before",
    "report.sent",
    "batch.returned",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_child_dies(world: World, point: str) -> None:
    world.arm(f"{point}=kill@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)
