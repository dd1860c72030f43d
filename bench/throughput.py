"""CPU time of the complete stack and files per second with a tool that does nothing, beside a bare Celery chord."""

from __future__ import annotations

from statistics import median

from bench.bare_celery import BareWorker
from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, expect_all_completed, small_files

SLOTS = 2


def measure(*, short: bool) -> Report:
    """Fleet and bare chord take turns on one Valkey, so that a busy machine slows both."""
    files, rounds = (300, 1) if short else (1000, 3)
    cpu_ms, per_second, ratios, details = [], [], [], []
    slots = str(SLOTS)
    with Fleet(FILE_PROCESSING_CONCURRENCY=slots, RUNNER_CONCURRENCY=slots) as fleet:
        source = small_files(fleet.folder / "in", files)
        fleet.run(small_files(fleet.folder / "warm", 20), NO_OP)
        broker, results = fleet.shared["CELERY_BROKER_BASE_URL"], fleet.shared["CELERY_RESULT_BACKEND"]
        with BareWorker(broker, results, SLOTS) as bare:
            bare.run(50)
            for _ in range(rounds):
                bare_wall, bare_cpu = bare.run(files)
                done = fleet.run(source, NO_OP)
                expect_all_completed(done, files)
                cpu_ms.append(1000 * done.cpu_seconds / files)
                per_second.append(files / done.wall_seconds)
                ratios.append(bare_wall / done.wall_seconds)
                details.append(
                    f"{files} files: fleet {done.wall_seconds:.2f} s wall, {done.cpu_seconds:.2f} s CPU; "
                    f"bare chord {bare_wall:.2f} s wall, {bare_cpu:.2f} s CPU (worker only)"
                )
    note = f"median of {rounds}, {files} files, {SLOTS} slots"
    return Report(
        [
            Figure("cpu_ms_per_file", median(cpu_ms), "ms", at_most=25, original="about 480", note=note),
            Figure("files_per_s", median(per_second), "1/s", note=note),
            Figure(
                "files_per_s_vs_bare_celery",
                median(ratios),
                "x",
                note="a file (isolated tool run, row delivered) against an empty Celery task in a chord",
            ),
        ],
        details,
    )
