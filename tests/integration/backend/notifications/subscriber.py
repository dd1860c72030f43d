"""A pipeline with a notification, and the worker that delivers it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from docfleet.backend.tables.notifications import notification_batches

URL = "https://hooks.example.org/in/s3cret-path"


def hook(host: str = "hooks.example.org") -> dict[str, Any]:
    settings = {"url": f"https://{host}/in/s3cret-path", "auth_type": "BEARER", "auth_key": "k3y-of-the-target"}
    return {"provider": "webhook", "settings": settings}


class Subscriber:
    """A pipeline with a notification, and the worker's side of its batches."""

    def __init__(self, api: Any, host: str = "", **body: Any) -> None:
        # Only what the test asks for is sent.
        api.client.app.dependencies["notification_dispatcher"].dependency().stop()
        self.api = api
        self.host = host or f"{uuid.uuid4().hex[:8]}.example.org"  # what is under way to one host is counted
        self.name = f"p-{uuid.uuid4().hex[:8]}"
        api.workflow(name=self.name)
        self.pipeline = api.put("/api/v1/pipelines", {"name": self.name, "workflow": self.name})["pipeline_id"]
        self.key = api.key("pipeline", self.name)
        self.id = self.add(**body)

    def add(self, name: str = "ops", **body: Any) -> str:
        found = self.api.put("/api/v1/notifications", {"name": name, "pipeline": self.name, **hook(self.host), **body})
        return str(found["notification_id"])

    def run(self) -> Any:
        path = f"/deployment/pipeline/api/{self.api.organization}/{self.pipeline}/"
        answer = self.api.client.post(path, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.text
        return self.api.execution(answer.json()["execution_id"])

    def end(self, *statuses: str) -> Any:
        """A run whose files end so."""
        run = self.run().ready(self.api.documents(len(statuses), f"{uuid.uuid4().hex[:8]}/"))
        run.report([], outcomes=[self.api.outcome(c, s) for c, s in zip(run.take(), statuses, strict=True)])
        return run

    def events(self, **query: Any) -> list[Any]:
        words = "&".join(f"{key}={value}" for key, value in {"notification_id": self.id, **query}.items())
        return list(self.api.get(f"/api/v1/notifications/events?{words}")["events"])

    def dispatch(self) -> list[dict[str, Any]]:
        """The messages about this organization's batches."""
        self.api.recorder.sent.clear()
        self.api.post("/internal/v1/notifications/dispatch/")
        sent = [message for message in self.api.recorder.sent if message[0] == "process_notification"]
        return [kwargs for _, _, kwargs, _ in sent if kwargs["organization_id"] == self.api.organization]

    def claim(self, batch: str, lease: float = 60.0) -> Any:
        return self.api.post(f"/internal/v1/notifications/batches/{batch}/claim/", {"lease_seconds": lease})

    def report(self, batch: str, outcome: str, attempt: int = 1, **more: Any) -> str:
        body = {"attempt": attempt, "outcome": outcome, **more}
        return str(self.api.post(f"/internal/v1/notifications/batches/{batch}/report/", body)["state"])

    def row(self, batch: str) -> Any:
        with self.api.database.reading() as connection:
            return connection.execute(select(notification_batches).where(notification_batches.c.id == batch)).one()

    def due(self) -> None:
        """All its waits and leases are over."""
        self.api.write(
            "UPDATE notification_batches SET next_attempt_at = 1, lease_until = 1 WHERE notification_id = :n", n=self.id
        )
