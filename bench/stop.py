"""How long a stop takes while tools run and many files wait: from the call to "nothing is delivered any more"."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from statistics import median

from bench.figures import Figure, Report
from bench.fleet import Fleet, small_files

SLOTS = 4
QUEUED = 1000
START_SECONDS = 60.0


def measure(*, short: bool) -> Report:
    """Each stop is of an execution of its own; the leases have their default length, so renewals play no part."""
    rounds, files = (5, 200) if short else (20, QUEUED + SLOTS)
    slots = str(SLOTS)
    with Fleet(sleeper=True, FILE_PROCESSING_CONCURRENCY=slots, RUNNER_CONCURRENCY=slots) as fleet:
        source = small_files(fleet.folder / "in", files)
        millis = [_stop(fleet, source, fleet.folder / f"stage-{number}", files) for number in range(rounds)]
    p95 = sorted(millis)[math.ceil(0.95 * rounds) - 1]
    note = f"of {rounds} stops with {SLOTS} files running and {files - SLOTS} queued"
    return Report(
        [
            Figure("stop_p95_ms", p95, "ms", at_most=2000, note=note),
            Figure("stop_median_ms", median(millis), "ms", note=note),
        ]
    )


def _stop(fleet: Fleet, source: Path, stage: Path, files: int) -> float:
    """Milliseconds of one stop. Raises ``RuntimeError`` when it was none."""
    stage.mkdir()
    execution_id = fleet.start(source, [{"tool": "sleeper", "settings": {"stage": str(stage)}}])
    deadline = time.monotonic() + START_SECONDS
    while len(list(stage.iterdir())) < SLOTS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(list(stage.iterdir()))} of {SLOTS} tools started")
        time.sleep(0.02)
    started = time.monotonic()
    stop = fleet.client.stop_execution(execution_id, wait=10)
    millis = 1000 * (time.monotonic() - started)
    if stop.outcome != "stopped" or stop.counts.get("STOPPED") != files:
        raise RuntimeError(f"{stop.outcome}: {json.dumps(stop.counts)} of {files} files")
    return millis
