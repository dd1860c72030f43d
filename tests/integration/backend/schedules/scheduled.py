"""A pipeline with a schedule, and ticks."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import text

TICK = "/internal/v1/schedules/tick/"
EVERY_MINUTE = {"cron": "* * * * *"}


class Scheduled:
    """A pipeline of ``api`` with a schedule."""

    def __init__(self, api: Any, name: str = "nightly", **schedule: Any) -> None:
        self.api = api
        api.workflow()
        self.body = {"name": name, "workflow": "invoices", "schedule": {**EVERY_MINUTE, **schedule}}
        self.id = api.put("/api/v1/pipelines", self.body)["pipeline_id"]
        self.path = f"/api/v1/pipelines/{self.id}"

    def due(self, seconds: float = 10.0) -> int:
        """Its next tick was so many seconds ago, rounded to a minute of the hour that is its only one."""
        at = int(time.time() - seconds) // 60 * 60
        self.api.write(
            "UPDATE pipelines SET next_tick_at = :at, next_run_at = :at, cron_string = :cron WHERE id = :id",
            at=at,
            cron=f"{at // 60 % 60} * * * *",
            id=self.id,
        )
        return at

    @property
    def outcomes(self) -> list[str]:
        """Of its ticks, oldest first."""
        return [tick["outcome"] for tick in self.api.get(f"{self.path}/ticks")["ticks"]][::-1]

    @property
    def runs(self) -> list[str]:
        """Its executions, oldest first."""
        with self.api.database.reading() as connection:
            rows = connection.execute(
                text("SELECT id FROM executions WHERE pipeline_id = :id ORDER BY created_at"), {"id": self.id}
            )
            return [row.id for row in rows]

    @property
    def shown(self) -> Any:
        return self.api.get(self.path)

    def end(self, run: str) -> None:
        """The source of this run was empty."""
        self.api.execution(run).finalize(empty_reason="no_match")


def tick(api: Any) -> dict[str, int]:
    """One look at the schedules; what it did that is not nothing."""
    return {name: number for name, number in api.post(TICK).items() if number}
