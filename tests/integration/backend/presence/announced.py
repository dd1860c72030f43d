"""Workers that announce themselves, as their companions do."""

from __future__ import annotations

from typing import Any

BEAT = "/internal/v1/workers/beat/"
ENDED = "/internal/v1/workers/ended/"
SECONDS = 5.0
QUEUES = {
    "file_processing": ["file_processing", "api_file_processing"],
    "general": ["celery"],
    "api_deployment": ["celery_api_deployments"],
    "callback": ["file_processing_callback", "api_file_processing_callback"],
}


def announce(api: Any, node: str, kind: str = "file_processing", **more: Any) -> Any:
    """One beat of the worker; its neighbours by node."""
    body = {"node": node, "type": kind, "queues": QUEUES[kind], "slots": 2, "state": "ready", "seconds": SECONDS}
    return [each["node"] for each in api.post(BEAT, body | more).get("neighbours", [])]


def end(api: Any, *nodes: str) -> None:
    api.post(ENDED, {"nodes": list(nodes)})


def fall_silent(api: Any, node: str, seconds: float = 1000.0) -> None:
    """The worker was heard for the last time so long ago."""
    statement = "UPDATE workers SET seen_at = seen_at - :s, alive_until = alive_until - :s WHERE node = :n"
    assert api.write(statement, s=seconds, n=node) == 1


def silence_all(api: Any, seconds: float = 1000.0) -> None:
    """The backend was away so long."""
    api.write("UPDATE workers SET seen_at = seen_at - :s, alive_until = alive_until - :s", s=seconds)
