"""One retry layer, at the edge to a dependency: exponential waits with jitter, bounded in number and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import msgspec
import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from docfleet.core.errors import DocfleetError

log = structlog.get_logger()

LONGEST_WAIT_SECONDS = 10.0


class Retry(msgspec.Struct, frozen=True):
    """The ``attempt``-th of ``attempts`` calls failed with ``error``; the next one follows in ``seconds``."""

    error: Exception
    attempt: int
    attempts: int
    seconds: float


class RetryObserver(Protocol):
    """Who wants to know that a call waits."""

    def waits(self, retry: Retry) -> None:
        """The call failed and is repeated after a wait."""

    def goes_on(self) -> None:
        """The call waits no longer."""

    def should_stop(self) -> bool:
        """Whether the next failure ends the call, although attempts are left."""


_observer: ContextVar[RetryObserver | None] = ContextVar("retry_observer", default=None)
_attempts: ContextVar[int] = ContextVar("retry_attempts", default=0)


@contextmanager
def observed_by(observer: RetryObserver) -> Iterator[None]:
    """While the block runs, ``observer`` learns of the waits of this thread's calls, and may end them."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def _on_retry(details: RetryDetails) -> None:
    log.warning(
        "dependency.retry",
        call=details.name,
        attempt=details.retry_num,
        wait_s=round(details.wait_for, 2),
        error=str(details.caused_by),
    )
    observer = _observer.get()
    if observer is not None:
        observer.waits(Retry(details.caused_by, details.retry_num, _attempts.get(), details.wait_for))


set_on_retry_hooks([_on_retry])


def is_retryable(error: Exception) -> bool:
    """True for errors whose class marks the same call as worth repeating later."""
    return isinstance(error, DocfleetError) and error.retryable


def retrying[T](
    call: Callable[[], T],
    *,
    attempts: int,
    seconds: float,
    first_wait: float = 0.1,
    longest_wait: float = LONGEST_WAIT_SECONDS,
    stoppable: bool = True,
) -> T:
    """Call until it succeeds, fails for good, or ``attempts`` or ``seconds`` are used up; then the last error. The
    observer may end it earlier where it is ``stoppable``."""
    token = _attempts.set(attempts)
    observer = _observer.get()

    def is_worth_waiting(error: Exception) -> bool:
        return is_retryable(error) and not (stoppable and observer is not None and observer.should_stop())

    try:
        for attempt in stamina.retry_context(
            on=is_worth_waiting,
            attempts=attempts,
            timeout=seconds,
            wait_initial=first_wait,
            wait_max=longest_wait,
            wait_jitter=min(1.0, longest_wait),
        ):
            with attempt:
                return call()
    finally:
        _attempts.reset(token)
        if observer is not None:
            observer.goes_on()
    raise AssertionError("unreachable: retry_context ends by returning or raising")
