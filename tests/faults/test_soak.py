"""A random ``kill -9`` every two to five seconds while executions run.

``make soak`` is the long one: 200 executions and five minutes of kills a leg. Elsewhere this is a small one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.soak import Soak
from tests.faults.world import LEGS
from tests.servers import require

RUNS = int(os.environ.get("DOCFLEET_SOAK_RUNS") or 20)
SECONDS = float(os.environ.get("DOCFLEET_SOAK_SECONDS") or 30)


@pytest.mark.timeout(SECONDS + 900)
@pytest.mark.parametrize("leg", LEGS)
def test_random_kills(leg: str, seed: int, tmp_path: Path) -> None:
    soak = require(lambda: Soak(leg, RUNS, SECONDS, seed, tmp_path))
    try:
        findings = soak.run()
    finally:
        soak.world.stop()
    assert not findings.wrong, "\n".join(findings.wrong)
