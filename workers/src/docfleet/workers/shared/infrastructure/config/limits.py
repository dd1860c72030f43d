"""Time limits that fit together: a task must end before its broker considers the message lost.

Redis redelivers a message after its visibility timeout; RabbitMQ closes the channel of a consumer that has not
acknowledged within ``consumer_timeout``, which ends the worker. Settings under which that may happen are refused.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
import structlog

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.config.registry import WorkerSpec

log = structlog.get_logger()

CONSUMER_TIMEOUT_SECONDS = 1800
"""How long RabbitMQ waits for an acknowledgement unless it is configured otherwise."""
CONSUMER_MARGIN_SECONDS = 60
"""RabbitMQ checks its consumers once a minute."""


class TimeLimits(msgspec.Struct, frozen=True):
    """Seconds: a task is interrupted at ``soft``, killed at ``hard``; Redis redelivers after ``visibility``."""

    soft: int
    hard: int
    visibility: int


class ConfiguredLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that are set in the settings, in seconds; None where they are unset.

    ``prefetch`` counts messages per slot. ``allow_unsafe`` accepts limits that do not fit together."""

    soft: int | None
    hard: int | None
    visibility: int | None
    consumer_timeout: int | None
    prefetch: int
    allow_unsafe: bool


def time_limits(spec: WorkerSpec, broker_url: str, configured: ConfiguredLimits) -> TimeLimits:
    """The limits of a worker. Limits that are not configured are made to fit RabbitMQ's timeout. Configured limits that
    do not fit raise ``ConfigurationError`` with the remedy."""
    rabbitmq = not on_redis(broker_url)
    # A message that waits behind another one is not acknowledged, either.
    queued = max(1, configured.prefetch)
    timeout = configured.consumer_timeout or CONSUMER_TIMEOUT_SECONDS
    longest = max(1, (timeout - CONSUMER_MARGIN_SECONDS) // queued)
    hard = configured.hard
    if hard is None:
        hard = min(spec.time_limit, longest) if rabbitmq else spec.time_limit
    elif rabbitmq and hard > longest:
        _refuse(
            configured, _consumer_timeout_too_short(timeout, hard, hard * queued + CONSUMER_MARGIN_SECONDS, longest)
        )
    soft = configured.soft
    if soft is None:
        soft = max(1, hard * spec.soft_time_limit // spec.time_limit)
    if soft >= hard:
        raise ConfigurationError(
            f"CELERY_TASK_SOFT_TIME_LIMIT ({soft} s) must be less than CELERY_TASK_TIME_LIMIT ({hard} s): a task is "
            "interrupted before it is killed; lower the first or raise the second"
        )
    visibility = configured.visibility or 2 * hard
    if not rabbitmq and visibility < 2 * hard:
        _refuse(
            configured,
            f"CELERY_VISIBILITY_TIMEOUT ({visibility} s) is shorter than two time limits of a task ({2 * hard} s): "
            "Redis would hand out messages again while they are worked on; leave it unset or lower "
            "CELERY_TASK_TIME_LIMIT",
        )
    return TimeLimits(soft, hard, visibility)


def on_redis(broker_url: str) -> bool:
    """True for a Redis broker: plain, TLS, socket or Sentinel."""
    return urlsplit(broker_url).scheme.startswith(("redis", "sentinel", "unix"))


def _consumer_timeout_too_short(timeout: int, hard: int, needed: int, longest: int) -> str:
    return (
        f"RabbitMQ gives up a consumer after {timeout} s without an acknowledgement, and a task may take {hard} s "
        f"(CELERY_TASK_TIME_LIMIT): put `consumer_timeout = {needed * 1000}` into rabbitmq.conf and set "
        f"BROKER_CONSUMER_TIMEOUT_SECONDS={needed}, or lower CELERY_TASK_TIME_LIMIT to {longest}"
    )


def _refuse(configured: ConfiguredLimits, message: str) -> None:
    if not configured.allow_unsafe:
        raise ConfigurationError(f"{message}; WORKER_ALLOW_UNSAFE_TIMEOUTS=true starts all the same")
    log.warning("settings.unsafe", reason=message)
