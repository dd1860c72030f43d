"""Circuit breakers, one per dependency and process.

A breaker keeps calls that would fail anyway from a dependency in trouble. An open breaker means: wait and retry, never
drop. Finalization never goes through a breaker, because it must be retried.
"""

from __future__ import annotations

from collections.abc import Callable

import pybreaker
import structlog

from docfleet.core.errors import DependencyError, DocfleetError, MachineTrouble

log = structlog.get_logger()

FAILURES_TO_OPEN = 5
SECONDS_OPEN = 5.0


class _LogChanges(pybreaker.CircuitBreakerListener):
    def state_change(self, cb: pybreaker.CircuitBreaker, old_state: object, new_state: object) -> None:
        log.warning("breaker.changed", dependency=cb.name, state=str(cb.current_state))


class Breaker:
    """Guards the calls to one dependency. ``error`` is raised instead of calling while it is open."""

    def __init__(self, dependency: str, error: type[DependencyError]) -> None:
        self._error = error
        self._breaker = pybreaker.CircuitBreaker(
            name=dependency,
            fail_max=FAILURES_TO_OPEN,
            reset_timeout=SECONDS_OPEN,
            exclude=[lambda error: not _is_missing(error)],
            listeners=[_LogChanges()],
        )

    def call[T](self, function: Callable[[], T]) -> T:
        """Call through the breaker."""
        try:
            result: T = self._breaker.call(function)
        except pybreaker.CircuitBreakerError as error:
            raise self._error(
                f"{self._breaker.name} has failed {FAILURES_TO_OPEN} times in a row; trying again in {SECONDS_OPEN:g} s"
            ) from error
        return result


def _is_missing(error: BaseException) -> bool:
    """Whether the dependency did not answer. A refusal is an answer, and trouble of a machine says nothing of it."""
    return isinstance(error, DocfleetError) and error.retryable and not isinstance(error, MachineTrouble)
