"""Peak memory of each process for two sizes of one execution, the second ten times the first."""

from __future__ import annotations

from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, expect_all_completed, small_files
from bench.processes import peak_rss_mb


def measure(*, short: bool) -> Report:
    """A new system for each size. The figure is that of the process that grows most."""
    small, large = (200, 2000) if short else (1000, 10_000)
    before, after = _peaks(small), _peaks(large)
    ratios = {role: after[role] / before[role] for role in before if role in after}
    details = [f"{'peak MB':28} {small:>8} {large:>8} files"]
    for role, ratio in sorted(ratios.items(), key=lambda item: -item[1]):
        details.append(f"{role:28} {before[role]:8.1f} {after[role]:8.1f}  x{ratio:.2f}")
    worst = max(ratios, key=lambda role: ratios[role])
    note = f"{large} against {small} small files; most: {worst}"
    return Report([Figure("peak_rss_10k_vs_1k", ratios[worst], "x", at_most=1.2, note=note)], details)


def _peaks(files: int) -> dict[str, float]:
    """The highest resident memory by role, in MB, after one execution of ``files`` files."""
    peaks: dict[str, float] = {}
    with Fleet() as fleet:
        done = fleet.run(small_files(fleet.folder / "in", files), NO_OP)
        expect_all_completed(done, files)
        for pid, role in fleet.processes().items():
            peaks[role] = max(peaks.get(role, 0.0), peak_rss_mb(pid))
    return peaks
