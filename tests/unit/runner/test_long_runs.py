"""The first limit of a run, and the places for those that are past it."""

from __future__ import annotations

import asyncio

import pytest

from docfleet.core.errors import RunnerBusy
from docfleet.core.runs import RunLimits
from docfleet.runner.logs import Output
from docfleet.runner.long_runs import LongRuns, first_limit, past_first_limit

MIB = 1024**2
LIMITS = RunLimits(wall_seconds=600.0, first_seconds=60.0)


@pytest.mark.parametrize(
    ("limits", "size", "pages", "seconds"),
    [
        (LIMITS, 0, 0, 60.0),
        (LIMITS, 10 * MIB, 0, 80.0),
        (LIMITS, 0, 20, 100.0),
        (LIMITS, 0, 900, 150.0),
        (LIMITS, 900 * MIB, 0, 150.0),
        (RunLimits(wall_seconds=40.0, first_seconds=60.0), 0, 0, 40.0),
        (RunLimits(wall_seconds=100.0, first_seconds=60.0), 0, 900, 60.0),
        (RunLimits(wall_seconds=600.0), 0, 0, 600.0),
    ],
)
def test_the_first_limit_grows_with_size_and_pages(limits: RunLimits, size: int, pages: int, seconds: float) -> None:
    assert first_limit(limits, size, pages) == seconds


def test_pages_are_counted_while_it_runs() -> None:
    async def long_after(pages: int) -> float:
        output = Output()
        asyncio.get_running_loop().call_later(0.02, output.feed, b'{"type":"PROGRESS","done":%d}\n' % pages)
        limits = RunLimits(wall_seconds=2.0, first_seconds=0.05)
        return await past_first_limit(limits, 0, output)

    assert asyncio.run(long_after(0)) == 0.05
    assert asyncio.run(long_after(1)) == 0.5


def test_a_run_without_a_first_limit_is_never_long() -> None:
    async def wait() -> None:
        await asyncio.wait_for(past_first_limit(RunLimits(wall_seconds=0.01), 0, Output()), 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_places_are_taken_and_given_back() -> None:
    places = LongRuns(1)
    with places.admitted("a", is_long=False):
        places.take("a", "it took long")
        places.take("a", "it took long")
        wanted = r"needs long.*1 long documents.*RUNNER_LONG_RUNS"
        with pytest.raises(RunnerBusy, match=wanted), places.admitted("b", is_long=True):
            pass
        with places.admitted("c", is_long=False), pytest.raises(RunnerBusy, match="it took long"):
            places.take("c", "it took long")
    with places.admitted("b", is_long=True):
        pass
