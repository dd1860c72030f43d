"""Tasks of the ``notification`` worker.

Docfleet's messages hold ids only (``batch_id``, ``organization_id``). The original's, which hold URL and headers, are
accepted too and go through the same guard; the original has no rows for them here, so nothing is written.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.notification import original_messages
from docfleet.workers.notification.sending import send_batch


@shared_task(name=TaskName.PROCESS_NOTIFICATION.value, ignore_result=True)
def process_notification(notification_type: Any = None, priority: bool = False, **kwargs: Any) -> dict[str, Any]:
    """Send one batch, or one message of the original."""
    return _process(notification_type, kwargs)


@shared_task(name=TaskName.PRIORITY_NOTIFICATION.value, ignore_result=True)
def priority_notification(notification_type: Any = None, **kwargs: Any) -> dict[str, Any]:
    """``process_notification`` from a queue of its own."""
    return _process(notification_type, kwargs)


def _process(notification_type: Any, message: dict[str, Any]) -> dict[str, Any]:
    if "batch_id" in message:
        return send_batch(message.get("organization_id"), message["batch_id"])
    return original_messages.process(notification_type, message)


@shared_task(name=TaskName.SEND_WEBHOOK_NOTIFICATION.value, bind=True, ignore_result=True, max_retries=None)
def send_webhook_notification(self: Any, *args: Any, **kwargs: Any) -> None:
    """Send a webhook of the original, whose message holds everything: the fields of ``WebhookMessage``."""
    positional = dict(zip(original_messages.WebhookMessage.__struct_fields__, args, strict=False))
    original_messages.send(self, positional | kwargs)


@shared_task(name=TaskName.SEND_BATCH_NOTIFICATIONS.value, ignore_result=True)
def send_batch_notifications(notifications: Any, batch_id: Any = None, delay_between: Any = 0) -> dict[str, Any]:
    """Several of the original's messages, one after the other."""
    return original_messages.process_all(notifications, batch_id, delay_between)
