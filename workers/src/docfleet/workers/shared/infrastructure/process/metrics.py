"""Vital signs as Prometheus text.

By hand: the client library costs 15 MB and half a second a process, and there are no clients to share a registry with.
"""

from __future__ import annotations

from docfleet.workers.shared.infrastructure.process.vitals import Vitals

_OF_TASKS = (
    ("tasks_started_total", "started", "Tasks begun."),
    ("tasks_succeeded_total", "succeeded", "Tasks that ended well."),
    ("tasks_failed_total", "failed", "Tasks that raised."),
    ("task_seconds_total", "seconds", "Seconds spent in tasks that ended."),
)
_OF_SLOTS = (
    ("tasks_active", "busy", "gauge", "Tasks in work."),
    ("children_started_total", "children", "counter", "Pool children started."),
    ("children_lost_total", "lost", "counter", "Pool children that died and were replaced."),
)


def exposition(worker: str, vitals: Vitals, now: float) -> str:
    """All metrics; ``now`` on the monotonic clock."""
    lines: list[str] = []
    for name, field, text in _OF_TASKS:
        lines += _head(name, "counter", text)
        lines += [_sample(name, vitals.total(field, task), worker, task) for task in vitals.tasks]
    for name, field, kind, text in _OF_SLOTS:
        lines += [*_head(name, kind, text), _sample(name, vitals.total(field), worker)]
    ending, unconnected = vitals.get("ending_since"), vitals.get("unconnected_since")
    for name, value, text in (
        ("slots", float(vitals.slots), "Size of the pool."),
        ("ready", float(bool(vitals.get("ready") and not ending and not unconnected)), "1 while it takes messages."),
        ("broker_connected", float(not unconnected), "1 while it is connected to the broker."),
        ("ending", float(bool(ending)), "1 once it was told to end."),
        ("heartbeat_age_seconds", now - vitals.get("beat"), "Since the event loop turned."),
        ("uptime_seconds", now - vitals.get("began"), "Since the start."),
    ):
        lines += [*_head(name, "gauge", text), _sample(name, value, worker)]
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP docfleet_worker_{name} {text}", f"# TYPE docfleet_worker_{name} {kind}"]


def _sample(name: str, value: float, worker: str, task: str | None = None) -> str:
    labels = f'worker="{worker}"' + ("" if task is None else f',task="{task}"')
    return f"docfleet_worker_{name}{{{labels}}} {value:.12g}"
