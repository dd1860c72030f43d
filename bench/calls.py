"""Internal HTTP calls of one execution, and how large their answers are."""

from __future__ import annotations

from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, expect_all_completed, small_files

SMALL = 600
"""Large enough that a batch claims several times and the listing has several pages: the calls are the same."""
LARGE = 1000
CALLBACK_SECONDS = 30.0


def measure(*, short: bool) -> Report:
    """Counted by a proxy between the workers and the backend; the runner's calls are not the backend's."""
    with Fleet(counted=True) as fleet:
        small = answers(fleet, SMALL)
        large = answers(fleet, LARGE)
    report = Report()
    for path, sizes in sorted(large.items()):
        before = max(small.get(path, [0]))
        report.details.append(
            f"{path:62} {len(small.get(path, [])):4} {len(sizes):5} calls   largest {before:6} {max(sizes):6} bytes"
        )
    slope = max(growth(small, large).values()) / (LARGE - SMALL)
    report.figures = [
        Figure("http_calls_1000_files", sum(map(len, large.values())), at_most=100, original="about 13,000"),
        Figure(
            "response_bytes_per_file",
            max(0.0, slope),
            "B",
            at_most=1,
            note=f"growth of the largest answer of any call with each file more, from {SMALL} to {LARGE}",
        ),
    ]
    return report


def answers(fleet: Fleet, files: int) -> dict[str, list[int]]:
    """The sizes of the answers of one execution over ``files`` files, by call."""
    source = small_files(fleet.folder / f"in-{files}", files)
    fleet.proxy.take()
    expect_all_completed(fleet.run(source, NO_OP), files)
    # The last report may end the execution; the callback's own call is still to come and counts as well.
    fleet.proxy.wait_for("/finalize/", CALLBACK_SECONDS)
    return fleet.proxy.take()


def growth(small: dict[str, list[int]], large: dict[str, list[int]]) -> dict[str, int]:
    """By how many bytes the largest answer of each call grew; a call that the small execution lacks counts in full."""
    return {path: max(sizes) - max(small.get(path, [0])) for path, sizes in large.items()}
