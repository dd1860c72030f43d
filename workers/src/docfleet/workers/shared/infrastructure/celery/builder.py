"""``WorkerBuilder``: a Celery app from a worker type and its settings. All Celery configuration is here."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Exchange, Queue

from docfleet.core.names import QueueName, TaskName, WorkerType
from docfleet.workers.shared.infrastructure.celery.publishing import Publishing
from docfleet.workers.shared.infrastructure.celery.results import JsonLoader
from docfleet.workers.shared.infrastructure.celery.task import ContextTask
from docfleet.workers.shared.infrastructure.config.limits import on_redis
from docfleet.workers.shared.infrastructure.config.registry import WORKERS, WorkerSpec
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings

RESULT_TTL_SECONDS = 86_400
UNACKED = ("unacked_key", "unacked_index_key", "unacked_mutex_key")


class WorkerBuilder:
    """Builds the Celery app of one worker type."""

    @staticmethod
    def build_celery_app(worker_type: WorkerType, settings: WorkerSettings) -> Celery:
        """An app that consumes the type's queues and can send to all. Opens no connection."""
        spec = WORKERS[worker_type]
        app = Celery(worker_type.value, task_cls=ContextTask, loader=JsonLoader, amqp=Publishing, set_as_current=True)
        app.conf.update(celery_config(spec, settings))
        return app


def celery_config(spec: WorkerSpec, settings: WorkerSettings) -> dict[str, Any]:
    """The complete Celery configuration of a worker type."""
    limits = settings.time_limits(spec)
    return {
        "broker_url": settings.broker_url,
        "result_backend": settings.celery_result_backend,
        "include": [spec.tasks_module],
        "task_queues": [Queue(name.value, Exchange(name.value), routing_key=name.value) for name in QueueName],
        "task_default_queue": spec.queues[0].value,
        "task_routes": {task.value: {"queue": row.queues[0].value} for row in WORKERS.values() for task in row.tasks},
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "timezone": "UTC",
        "enable_utc": True,
        # At least once: a message is acknowledged when its task ended; when the worker is lost, the broker sends it
        # again. Rows and leases make a repeat harmless.
        "task_acks_late": True,
        # The message of a dead child is not requeued, which could go on forever. Its parent reports the loss to the
        # backend (``lost``), which counts it and sends the work again.
        "task_reject_on_worker_lost": False,
        "worker_lost_wait": 1.0,
        "task_acks_on_failure_or_timeout": True,
        "task_create_missing_queues": False,
        "task_time_limit": limits.hard,
        "task_soft_time_limit": limits.soft,
        "task_store_errors_even_if_ignored": False,
        # By name, because only a worker that consumes needs to import it.
        "worker_consumer": "docfleet.workers.shared.infrastructure.celery.intake:StrictConsumer",
        "worker_prefetch_multiplier": max(spec.prefetch, settings.celery_prefetch_multiplier),
        "worker_max_tasks_per_child": settings.celery_max_tasks_per_child or spec.max_tasks_per_child,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        # Cancelling on a lost connection would kill half-written deliveries; fencing handles the repeat.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "result_expires": RESULT_TTL_SECONDS,
        "result_chord_retry_interval": settings.celery_result_chord_retry_interval,
        # Without this, a result backend that is unavailable for seconds loses the chord for good.
        "result_backend_always_retry": True,
        "result_backend_max_retries": 1000,
        "result_chord_join_timeout": 60.0,
        "broker_heartbeat": settings.celery_broker_heartbeat,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Five minutes; Celery's default is half a second. Only the sweep would notice what a task could not send, and
        # late.
        "task_publish_retry_policy": {
            "max_retries": 150,
            "interval_start": 0.1,
            "interval_step": 0.2,
            "interval_max": 2.0,
        },
        # A channel that RabbitMQ closes (consumer_timeout) is no reason to exit with active tasks.
        "broker_channel_error_retry": True,
        "broker_transport_options": transport_options(spec, settings.broker_url, limits.visibility),
        "database_short_lived_sessions": True,
        "beat_scheduler": "celery.beat:Scheduler",  # in memory: due times follow from the clock alone
        "beat_schedule": beat_schedule(settings) if spec.beat else {},
    }


def beat_schedule(settings: WorkerSettings) -> dict[str, Any]:
    """The periodic tasks of beat. A tick that is not taken before the next one expires."""
    return {
        name: {
            "task": task.value,
            "schedule": interval,
            "options": {"queue": QueueName.SCHEDULER.value, "expires": interval},
        }
        for name, task, interval in (
            ("sweep", TaskName.SWEEP, settings.sweep_interval_seconds),
            ("schedules", TaskName.TICK_SCHEDULES, settings.tick_interval_seconds),
            ("notifications", TaskName.DISPATCH_NOTIFICATIONS, settings.tick_interval_seconds),
        )
    }


def transport_options(spec: WorkerSpec, broker_url: str, visibility_timeout: int) -> dict[str, Any]:
    """Options of the broker's transport: a message must stay invisible longer than its task may run."""
    if on_redis(broker_url):
        return {
            "visibility_timeout": visibility_timeout,
            "socket_keepalive": True,
            **({"queue_order_strategy": "priority"} if spec.consumes_in_order else {}),
            "health_check_interval": 25,
            # Messages of a lost worker are restored every ten seconds, not at every tenth check.
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # Every worker restores the messages in its list by its own timeout. Short timeouts need a list of their
            # own, or they would redeliver messages that other workers still process.
            **({name: f"{name}.{spec.type.value}" for name in UNACKED} if spec.own_unacked else {}),
        }
    return {"confirm_publish": True}
