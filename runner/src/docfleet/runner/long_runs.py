"""Long runs: those that take longer than their first limit.

Most runs take seconds. A few take minutes: a book of scanned pages, or a document made to take long. Were they to hold
every slot, the others would stand still. So a run has a first limit, which grows with its size and with the pages its
tool reports. A run that is past it needs one of a few places: it goes on there, to the limit of all runs. Without a
free place it is ended, and its file waits until another attempt finds one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from docfleet.core.errors import RunnerBusy
from docfleet.core.runs import RunLimits
from docfleet.runner.logs import Output, log

SECONDS_PER_MIB = 2.0
"""What each MiB that the tool may read adds to the first limit."""
SECONDS_PER_PAGE = 2.0
"""What each page that the tool reports adds to it."""
MOST_SHARE = 0.25
"""The first limit grows to this share of the limit of all runs, and no further: pages alone make no run a short one."""


def first_limit(limits: RunLimits, input_bytes: int, pages: int) -> float:
    """Seconds after which the run is a long one; the limit of all runs where it never is."""
    if not limits.first_seconds:
        return limits.wall_seconds
    grown = limits.first_seconds + SECONDS_PER_MIB * input_bytes / 1024**2 + SECONDS_PER_PAGE * pages
    most = max(limits.first_seconds, MOST_SHARE * limits.wall_seconds)
    return min(grown, most, limits.wall_seconds)


async def past_first_limit(limits: RunLimits, input_bytes: int, output: Output) -> float:
    """Return when the run, which starts now, has become a long one, with its first limit. May never return."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        limit = first_limit(limits, input_bytes, output.pages_done)
        if limit >= limits.wall_seconds:
            await asyncio.Event().wait()  # the limit of all runs comes first
        left = started + limit - loop.time()
        if left <= 0:
            return limit
        await asyncio.sleep(left)


class LongRuns:
    """The places of one runner for long runs."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: set[str] = set()

    @contextlib.contextmanager
    def admitted(self, run_id: str, *, is_long: bool) -> Iterator[None]:
        """Around a run: gives back the place that it took here or later. ``is_long``: an earlier attempt was too long.

        Raises ``RunnerBusy`` for such a run while there is no place.
        """
        try:
            if is_long:
                self.take(run_id, "the document needs long")
            yield
        finally:
            self._held.discard(run_id)

    def take(self, run_id: str, cause: str) -> None:
        """Take a place, unless the run has one. Without a free one: ``RunnerBusy``, with ``cause``."""
        if run_id in self._held:
            return
        if len(self._held) >= self._places:
            raise RunnerBusy(
                f"{cause}, and the runner is at {self._places} long documents already: the file waits until one of "
                "them is done; RUNNER_LONG_RUNS allows more at once"
            )
        self._held.add(run_id)
        log.info("run.long", run_id=run_id)
