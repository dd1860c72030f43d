"""Messages of the original, which hold URL, body and headers. The outbound guard and the retry rules are the same."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from docfleet.core.errors import DestinationError, InvalidInput
from docfleet.core.outbound import Outbound
from docfleet.providers.base import TargetRejected, TargetUnavailable, check_url, target_of
from docfleet.providers.http import post
from docfleet.workers.notification.sending import breaker
from docfleet.workers.shared.infrastructure.process.process_settings import settings

log = structlog.get_logger()

WEBHOOK = "WEBHOOK"
MAX_DELAY_SECONDS = 3600.0
MAX_RETRIES = 10
MAX_PAUSE_SECONDS = 5.0
MAX_BATCH_MESSAGES = 100
_REFUSED = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class WebhookMessage(msgspec.Struct, kw_only=True):
    """Arguments of ``send_webhook_notification``; times in seconds. ``payload`` is any JSON."""

    url: str
    payload: Any
    headers: dict[str, Any] | None = None
    timeout: float = 10
    max_retries: int | None = None
    retry_delay: float = 10
    platform: str | None = None
    raise_on_final_failure: bool = False
    buffer_row_ids: Any = None
    organization_id: Any = None


def send(task: Any, arguments: dict[str, Any]) -> None:
    """``send_webhook_notification``: repeats go through Celery, because the sender has no rows in our database. Raises
    ``InvalidInput`` for arguments that are none of ``WebhookMessage``."""
    message = _read(arguments)
    key = str(task.request.root_id or task.request.id)
    try:
        _post(message.url, message.payload, message.headers, message.timeout, key)
    except TargetUnavailable as error:
        retries = task.request.retries
        if retries < min(message.max_retries or 0, MAX_RETRIES):
            wait = min(max(message.retry_delay, 1.0) * 2.0**retries, MAX_DELAY_SECONDS) * random.uniform(0.8, 1.2)
            log.warning("notification.retry", error=error.message, attempt=retries + 1)
            raise task.retry(countdown=max(wait, error.retry_after or 0.0), exc=error) from error
        _give_up(error, message.raise_on_final_failure)
    except TargetRejected as error:
        _give_up(error, message.raise_on_final_failure)
    else:
        log.info("notification.delivered", platform=message.platform)


def _read(arguments: dict[str, Any]) -> WebhookMessage:
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return msgspec.convert(given, WebhookMessage)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the message cannot be sent: {error}") from None


def _give_up(error: DestinationError, raise_on_final_failure: bool) -> None:
    log.error("notification.dead", error=error.message)
    if raise_on_final_failure:
        raise error


def process(notification_type: Any, message: Any) -> dict[str, Any]:
    """``process_notification``: one attempt; the answer has its result, and the log the reason of a failure."""
    try:
        if notification_type != WEBHOOK:
            raise InvalidInput(f"no messages of type {notification_type!r:.40} are taken")
        if not isinstance(message, dict) or message.get("payload") is None:
            raise InvalidInput("the message cannot be sent: url and payload are needed")
        wanted = _read({name: message.get(name) for name in ("url", "payload", "headers", "timeout")})
        _post(wanted.url, wanted.payload, wanted.headers, wanted.timeout, str(message.get("id") or ""))
    except (DestinationError, InvalidInput) as error:
        log.error("notification.not_sent", error=error.message)
        return {"success": False, "message": error.message}
    return {"success": True, "message": "sent", "destination": target_of(wanted.url)}


def process_all(messages: Any, batch_id: str | None, delay_between: float) -> dict[str, Any]:
    """``send_batch_notifications``: at most a hundred, one after the other. Raises ``InvalidInput``."""
    if not isinstance(messages, list) or not messages:
        raise InvalidInput("notifications has to be a list with at least one message")
    if not isinstance(delay_between or 0, int | float):
        raise InvalidInput(f"delay_between has to be a number of seconds, not {type(delay_between).__name__}")
    started = datetime.now(UTC)
    pause = min(max(float(delay_between or 0), 0.0), MAX_PAUSE_SECONDS)
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for number, message in enumerate(messages[:MAX_BATCH_MESSAGES]):
        if number and pause:
            time.sleep(pause)
        kind = message.get("notification_type") if isinstance(message, dict) else None
        result = process(kind or WEBHOOK, message)
        (successful if result["success"] else failed).append({"index": number, **result})
    left = [{"index": n, "success": False, "message": "too many"} for n in range(MAX_BATCH_MESSAGES, len(messages))]
    if left:
        cause = f"{len(left)} of {len(messages)} messages were not sent: at most {MAX_BATCH_MESSAGES} are taken at once"
        log.error("notification.not_sent", error=cause)
    return {
        "batch_id": batch_id,
        "total_notifications": len(messages),
        "successful": successful,
        "failed": failed + left,
        "started_at": started.isoformat(),
        "completed_at": datetime.now(UTC).isoformat(),
    }


def _post(url: str, payload: Any, headers: dict[str, Any] | None, timeout: float, key: str) -> None:
    try:
        check_url(url)
    except ValueError as error:
        raise TargetRejected(str(error)) from None
    host = target_of(url)
    wait = breaker().wait(host)
    if wait is not None:
        raise TargetUnavailable(f"{host} failed several times; waiting for it", retry_after=wait)
    rules = settings().outbound
    outbound = Outbound(min(float(timeout), rules.seconds), rules.networks, rules.ca_file)
    given = {str(name): str(value) for name, value in (headers or {}).items() if str(name).lower() not in _REFUSED}
    sent = {"Content-Type": "application/json", **given, **({"Idempotency-Key": key, "webhook-id": key} if key else {})}
    try:
        post(url, msgspec.json.encode(payload), sent, outbound)
    except TargetUnavailable as error:
        breaker().note(host, alive=error.answered)
        raise
    except TargetRejected:
        breaker().note(host, alive=True)
        raise
    breaker().note(host, alive=True)
