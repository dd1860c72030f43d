"""Start to ready, and memory, of each worker type."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, expect_all_completed, small_files
from bench.processes import pool_children, private_mb, rss_mb
from docfleet.core.names import WorkerType

FILES = 60
READY_SECONDS = 60.0


def measure(*, short: bool) -> Report:
    """Memory in a running system after three executions; then each type started alone, a few times."""
    report = Report()
    with Fleet() as fleet:
        source = small_files(fleet.folder / "in", FILES)
        for _ in range(3):
            expect_all_completed(fleet.run(source, NO_OP), FILES)
        pids = {name: pid for name, pid in fleet.system.pids().items() if name in set(WorkerType)}
        for name, pid in pids.items():
            private = [private_mb(child) for child in pool_children(pid)]
            note = f"after 3 executions, {len(private)} children"
            report.figures += [
                Figure(f"parent_rss_mb.{name}", rss_mb(pid), "MB", at_most=80, original="165", note=note),
                Figure(f"child_private_mb.{name}", max(private), "MB", at_most=20, original="58-73", note=note),
            ]
        for name in pids:
            seconds = [_ready(fleet, name) for _ in range(2 if short else 5)]
            note = f"median of {len(seconds)}, no other worker starting"
            report.figures.append(Figure(f"ready_s.{name}", median(seconds), "s", at_most=2, note=note))
            report.details.append(f"ready {name}: " + ", ".join(f"{second:.2f}" for second in seconds) + " s")
    return report


def _ready(fleet: Fleet, name: str) -> float:
    """Seconds from the start of one more worker of this type to its first readiness."""
    ready = Path(fleet.folder / f"{name}.ready")
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "docfleet.cli.main", "worker", name],
        env={**fleet.shared, "WORKER_READY_FILE": str(ready)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not ready.exists():
            if process.poll() is not None or time.monotonic() - started > READY_SECONDS:
                raise RuntimeError(f"worker {name} did not become ready")
            time.sleep(0.005)
        return time.monotonic() - started
    finally:
        process.terminate()
        process.wait(30)
        ready.unlink(missing_ok=True)
