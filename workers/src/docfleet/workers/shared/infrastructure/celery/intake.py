"""Checks of the messages that a worker takes from its queues: Celery's form, and a bounded depth.

The parent of a pool reads each message, and most malformed messages would end the worker there: content that cannot be
pickled for a child, a header of another type. The message would then come back and end the next worker. Here it is
rejected before Celery reads it: removed from the queue, logged without its content, and never redelivered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import signals
from celery.worker.consumer import Consumer

from docfleet.core.ids import new_id
from docfleet.core.names import TaskName
from docfleet.core.nesting import exceeds_depth

log = structlog.get_logger()

MAX_DEPTH = 100
"""The most levels of lists and objects in a message. Ours have less than half as many; pickle fails at some
hundreds."""

RECONNECT_SECONDS = 2.0
"""Seconds between two attempts to reach a broker that does not answer."""

_TEXTS = ("lang", "id", "root_id", "parent_id", "group", "shadow", "eta", "expires", "origin", "argsrepr", "kwargsrepr")
_NUMBERS = ("retries", "replaced_task_nesting")
_TEXTS_OF_REPLIES = ("reply_to", "correlation_id")


class MessageRejected(Exception):
    """A message is malformed. The text gives the reason and nothing of the content."""


class StrictConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, with a check of each message and a short wait between reconnects."""

    def ensure_connected(self, conn: Any) -> Any:
        """Reconnect with short waits. Celery waits longer after each attempt, up to 30 s, while the broker may be
        back."""
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=RECONNECT_SECONDS, interval_step=0, interval_max=RECONNECT_SECONDS
        )
        return super().ensure_connected(conn)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """The handler of each message."""
        receive = super().create_task_handler(*args, **kwargs)

        def receive_checked(message: Any) -> Any:
            try:
                accept_original(message)
                check(message)
            except MessageRejected as error:
                log.error("message.refused", reason=str(error), queue=_queue(message))
                message.reject_log_error(log, self.connection_errors)
                signals.task_rejected.send(sender=self, message=message, exc=error)
                return None
            return receive(message)

        return receive_checked


def accept_original(message: Any) -> None:
    """Turn a log line of the original (a header with the task's name only, an object as body) into a task message.
    Celery would read it as a task without an id, and all of them as the same task."""
    headers = message.headers
    if not isinstance(headers, dict) or headers.get("task") != TaskName.LOGS_CONSUMER or "id" in headers:
        return
    body = _body(message)
    if isinstance(body, dict) and isinstance(body.get("args"), list) and isinstance(body.get("kwargs"), dict):
        message.headers = {"task": TaskName.LOGS_CONSUMER.value, "id": new_id(), "lang": "py"}
        message._decoded_cache = [body["args"], body["kwargs"], {}]
        message.body = json.dumps(message._decoded_cache)


def check(message: Any) -> None:
    """Raise ``MessageRejected`` for a message that Celery or our task could not handle."""
    headers, properties = message.headers, message.properties or {}
    if not isinstance(headers, dict) or not isinstance(headers.get("task"), str):
        raise MessageRejected("it names no task: send tasks with Celery's protocol 2")
    if not isinstance(headers.get("id"), str):
        raise MessageRejected("it has no task id")
    for name in _TEXTS:
        _require(name, headers.get(name), str | None)
    for name in _NUMBERS:
        _require(name, headers.get(name), int | None)
    for name in _TEXTS_OF_REPLIES:
        _require(name, properties.get(name), str | None)
    _require_limits(headers.get("timelimit"))
    _require_stamps(headers)
    _require_body(_body(message))
    for what, part in (("headers", headers), ("properties", properties), ("body", message.payload)):
        if exceeds_depth(part, MAX_DEPTH):
            raise MessageRejected(f"its {what} are nested more than {MAX_DEPTH} levels deep")


def _body(message: Any) -> Any:
    try:
        return message.payload
    except Exception as error:  # noqa: BLE001 - a boundary: whatever the cause, the body cannot be read
        raise MessageRejected(f"its body cannot be read ({type(error).__name__})") from None


def _require(name: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind):
        raise MessageRejected(f"its {name} is of type {type(value).__name__}")


def _require_limits(limits: Any) -> None:
    _require("timelimit", limits, list | tuple | None)
    if limits and (len(limits) != 2 or not all(isinstance(limit, int | float | None) for limit in limits)):
        raise MessageRejected("its timelimit is not a pair of numbers")


def _require_stamps(headers: dict[str, Any]) -> None:
    _require("stamps", headers.get("stamps"), dict | None)
    names = headers.get("stamped_headers")
    _require("stamped_headers", names, list | tuple | None)
    if names and not all(isinstance(name, str) for name in names):
        raise MessageRejected("its stamped_headers are not names")


def _require_body(body: Any) -> None:
    if not isinstance(body, list | tuple) or len(body) != 3:
        raise MessageRejected("its body is not [arguments, keyword arguments, embedded]")
    for part, kind in zip(body, (list | tuple, dict, dict | None), strict=True):
        _require("body", part, kind)
    for name in ("callbacks", "errbacks", "chain"):
        signatures = (body[2] or {}).get(name)
        _require(name, signatures, list | tuple | None)
        if signatures and not all(isinstance(signature, dict) for signature in signatures):
            raise MessageRejected(f"its {name} are no signatures")
    _require("chord", (body[2] or {}).get("chord"), dict | None)


def _queue(message: Any) -> str:
    return str((message.delivery_info or {}).get("routing_key"))[:100]
