"""Log lines as workers send them, and logs that become old."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from docfleet.backend.tables.logs import execution_logs
from docfleet.core.log_events import new_event_id

KEY = "test-key-of-forty-characters-0123456789ab"


def event(api: Any, run: Any, text: str = "a line", **more: Any) -> dict[str, Any]:
    return {
        "event_id": new_event_id(),
        "timestamp": time.time(),
        "execution_id": run.id,
        "organization_id": api.organization,
        "log": text,
        **more,
    }


def send(api: Any, *events: dict[str, Any], **more: Any) -> Any:
    return api.post("/internal/v1/logs/", {"events": list(events)}, **more)


def texts(api: Any, run: Any, query: str = "") -> list[str]:
    return [line["log"] for line in api.get(f"/api/v1/executions/{run.id}/logs?limit=1000{query}")["logs"]]


def headers(api: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "X-Organization-ID": api.organization}


def storage(api: Any) -> Path:
    return Path(api.folder, "storage")


def age(api: Any, run: Any, seconds: float) -> None:
    api.write("UPDATE executions SET finished_at = finished_at - :s WHERE id = :e", s=seconds, e=run.id)


def rows(api: Any, run: Any) -> int:
    with api.database.reading() as connection:
        return int(
            connection.scalar(
                select(func.count()).select_from(execution_logs).where(execution_logs.c.execution_id == run.id)
            )
            or 0
        )


def ended(api: Any, lines: int) -> Any:
    run = api.run().ready(1)
    send(api, *(event(api, run, str(number), level="ERROR" if number % 10 == 3 else "INFO") for number in range(lines)))
    run.report(run.take())
    assert run.status == "COMPLETED"
    return run
