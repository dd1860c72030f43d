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


def send(
    task: Any,
    url: str,
    payload: dict[str, Any],
    headers: dict[str, str] | None,
    timeout: float,
    max_retries: int | None,
    retry_delay: float,
    platform: str | None,
    raise_on_final_failure: bool,
) -> None:
    """``send_webhook_notification``: repeats go through Celery, because the sender has no rows in our database."""
    key = str(task.request.root_id or task.request.id)
    try:
        _post(url, payload, headers, timeout, key)
    except TargetUnavailable as error:
        retries = task.request.retries
        if retries < min(max_retries or 0, MAX_RETRIES):
            wait = min(max(retry_delay, 1.0) * 2.0**retries, MAX_DELAY_SECONDS) * random.uniform(0.8, 1.2)
            log.warning("notification.retry", error=error.message, attempt=retries + 1)
            raise task.retry(countdown=max(wait, error.retry_after or 0.0), exc=error) from error
        _give_up(error, raise_on_final_failure)
    except TargetRejected as error:
        _give_up(error, raise_on_final_failure)
    else:
        log.info("notification.delivered", platform=platform)


def _give_up(error: DestinationError, raise_on_final_failure: bool) -> None:
    log.error("notification.dead", error=error.message)
    if raise_on_final_failure:
        raise error


def process(notification_type: str, message: dict[str, Any]) -> dict[str, Any]:
    """``process_notification``: one attempt; the answer has its result."""
    if notification_type != WEBHOOK:
        return {"success": False, "message": f"no messages of type {notification_type!r:.40} are taken"}
    url, payload = message.get("url"), message.get("payload")
    if not isinstance(url, str) or not isinstance(payload, dict):
        return {"success": False, "message": "url and payload are needed"}
    try:
        _post(url, payload, message.get("headers"), message.get("timeout") or 10, str(message.get("id") or ""))
    except (DestinationError, InvalidInput) as error:
        log.error("notification.not_sent", error=error.message)
        return {"success": False, "message": error.message}
    return {"success": True, "message": "sent", "destination": target_of(url)}


def process_all(messages: list[dict[str, Any]], batch_id: str | None, delay_between: float) -> dict[str, Any]:
    """``send_batch_notifications``: at most a hundred, one after the other."""
    started = datetime.now(UTC)
    pause = min(max(float(delay_between or 0), 0.0), MAX_PAUSE_SECONDS)
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for number, message in enumerate(messages[:MAX_BATCH_MESSAGES]):
        if number and pause:
            time.sleep(pause)
        result = process(str(message.get("notification_type") or WEBHOOK), message)
        (successful if result["success"] else failed).append({"index": number, **result})
    left = [{"index": n, "success": False, "message": "too many"} for n in range(MAX_BATCH_MESSAGES, len(messages))]
    return {
        "batch_id": batch_id,
        "total_notifications": len(messages),
        "successful": successful,
        "failed": failed + left,
        "started_at": started.isoformat(),
        "completed_at": datetime.now(UTC).isoformat(),
    }


def _post(url: str, payload: dict[str, Any], headers: dict[str, str] | None, timeout: float, key: str) -> None:
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
