"""Real documents: the fleet against the same tool functions in a plain pool of two processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure, Report
from bench.fleet import Fleet
from docfleet.core.settings import environment

FOLDERS = ("invoices", "receipts", "office", "mixed")
TOOLS: list[dict[str, Any]] = [
    {"tool": "text_extractor", "settings": {}},
    {"tool": "field_extractor", "settings": {"preset": "invoice"}},
]
SLOTS = 2
POOL_SECONDS = 900


def test_data() -> Path:
    """The folder of the documents; it may not exist."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(environment().get("DOCFLEET_TEST_DATA") or default)


def measure(*, short: bool) -> Report:
    """Wall time of both, in turns; the fleet has run a few documents before, and the pool's imports are warm."""
    data = test_data()
    if not data.is_dir():
        return Report(skipped=f"no documents at {data}: set DOCFLEET_TEST_DATA")
    rounds = 1 if short else 3
    ratios, cpu_ratios, details = [], [], []
    slots = str(SLOTS)
    with Fleet(FILE_PROCESSING_CONCURRENCY=slots, RUNNER_CONCURRENCY=slots) as fleet:
        source, warm = fleet.folder / "in", fleet.folder / "warm"
        paths = _copy(data, source, every=3 if short else 1)
        _copy(data, warm, every=10)
        fleet.run(warm, TOOLS)
        for _ in range(rounds):
            pool = _pool(source)
            done = fleet.run(source, TOOLS)
            if sum(done.state.counts.values()) != len(paths):
                raise RuntimeError(f"{done.state.counts} of {len(paths)} files")
            ratios.append(pool["wall_seconds"] / done.wall_seconds)
            cpu_ratios.append(pool["cpu_seconds"] / done.cpu_seconds)
            details.append(
                f"{len(paths)} documents: fleet {done.wall_seconds:.1f} s wall, {done.cpu_seconds:.1f} s CPU "
                f"({done.state.counts.get('ERROR', 0)} failed); pool {pool['wall_seconds']:.1f} s wall, "
                f"{pool['cpu_seconds']:.1f} s CPU ({pool['failed']} failed); "
                f"CPU ratio {cpu_ratios[-1]:.2f}"
            )
    note = f"median of {rounds}, {len(paths)} documents, {SLOTS} processes each"
    return Report(
        [
            Figure("pool_efficiency", median(ratios), "x", at_least=0.8, note=note),
            Figure(
                "pool_cpu_efficiency", median(cpu_ratios), "x", note="the same in CPU time, which other load moves less"
            ),
        ],
        details,
    )


def _copy(data: Path, target: Path, *, every: int) -> list[Path]:
    """Every n-th document of each folder, all into one."""
    target.mkdir()
    copied = []
    for folder in FOLDERS:
        for path in sorted((data / folder).iterdir())[::every]:
            copied.append(Path(shutil.copyfile(path, target / f"{folder}-{path.name}")))
    return copied


def _pool(source: Path) -> dict[str, float]:
    """What ``bench.plain_pool`` measured, run alone with the tools' own environment."""
    single = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.plain_pool", str(source), str(SLOTS), json.dumps(TOOLS)],
        env={**environment(), **single},
        capture_output=True,
        text=True,
        timeout=POOL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the plain pool failed: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
