"""One retry layer, at the edge to a dependency: exponential waits with jitter, bounded in number and time."""

from __future__ import annotations

from collections.abc import Callable

import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from docfleet.core.errors import DocfleetError

log = structlog.get_logger()


def _log_retry(details: RetryDetails) -> None:
    log.warning(
        "dependency.retry",
        call=details.name,
        attempt=details.retry_num,
        wait_s=round(details.wait_for, 2),
        error=str(details.caused_by),
    )


set_on_retry_hooks([_log_retry])


def is_retryable(error: Exception) -> bool:
    """True for errors whose class marks the same call as worth repeating later."""
    return isinstance(error, DocfleetError) and error.retryable


def retrying[T](call: Callable[[], T], *, attempts: int, seconds: float, first_wait: float = 0.1) -> T:
    """Call until it succeeds, fails for good, or ``attempts`` or ``seconds`` are used up; then the last error."""
    for attempt in stamina.retry_context(
        on=is_retryable, attempts=attempts, timeout=seconds, wait_initial=first_wait, wait_max=10.0, wait_jitter=1.0
    ):
        with attempt:
            return call()
    raise AssertionError("unreachable: retry_context ends by returning or raising")
