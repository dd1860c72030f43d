"""A backend in this process: called as its callers call it and driven as a worker drives it."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import create_engine, text

from docfleet.backend.app import create_app
from docfleet.backend.platform.db import Database, normalise_url
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.schema import metadata
from docfleet.core.errors import BrokerUnavailable

KEY = "test-key-of-forty-characters-0123456789ab"
OLD_KEY = "old-key-that-is-being-rotated-out-0123456"
POSTGRES = "DOCFLEET_TEST_POSTGRES_URL"


class Recorder:
    """A dispatcher that keeps what it is told, and fails on demand."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Be as new; also what a test put in place of a method goes."""
        vars(self).clear()
        self.sent: list[tuple[str, list[Any], dict[str, Any], str]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.down = False
        self.lying: dict[str, int] = {}

    def send(self, task: Any, args: list[Any], kwargs: dict[str, Any], queue: Any) -> None:
        if self.down:
            raise BrokerUnavailable("broker unavailable (switched off by the test)")
        self.sent.append((task.value, args, kwargs, queue.value))

    def broadcast(self, command: str, arguments: dict[str, Any]) -> None:
        self.told.append((command, arguments))

    def waiting(self, queue: Any) -> int:
        if self.down:
            raise BrokerUnavailable("broker unavailable (switched off by the test)")
        return self.lying.get(queue.value, 0)

    def close(self) -> None:
        pass


def documents(count: int, folder: str = "", **more: Any) -> list[Any]:
    """Entries of a listing."""
    return [
        {"file_name": f"f{n}.pdf", "file_path": f"{folder}f{n}.pdf", "file_size": n, **more}
        for n in range(1, count + 1)
    ]


def outcome(claim: Any, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    """What a worker reports about a claimed file."""
    error = {"error": "it did not work", "error_code": "tool_failed"} if status == "ERROR" else {}
    return {
        "file_execution_id": claim["file_execution_id"],
        "attempt": claim["attempt"],
        "status": status,
        **error,
        **more,
    }


class Api:
    """Calls the application as one organization."""

    documents = staticmethod(documents)
    outcome = staticmethod(outcome)

    def __init__(self, client: TestClient[Litestar], database: Database, recorder: Recorder, folder: Path) -> None:
        self.client = client
        self.database = database
        self.recorder = recorder
        self.folder = folder
        self.organization = f"org-{uuid.uuid4().hex[:12]}"
        self.put(f"/api/v1/organizations/{self.organization}", {"name": "Test"})

    def other(self) -> Api:
        """The same backend as another organization."""
        return Api(self.client, self.database, self.recorder, self.folder)

    def call(self, method: str, path: str, body: Any = None, *, status: int | None = 200, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {KEY}", "X-Organization-ID": self.organization} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        response = self.client.request(method, path, json=body, headers=sent)
        assert status is None or response.status_code == status, response.text
        self.last = response
        return response.json()

    def get(self, path: str, **more: Any) -> Any:
        return self.call("GET", path, **more)

    def put(self, path: str, body: Any, **more: Any) -> Any:
        return self.call("PUT", path, body, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.call("POST", path, {} if body is None else body, **more)

    def spec(self, **changes: Any) -> dict[str, Any]:
        spec = {
            "name": "invoices",
            "source": {"connector": "local", "settings": {"path": str(self.folder)}},
            "tools": [{"tool": "passthrough", "settings": {}}],
            "destination": {
                "connector": "sqlite",
                "settings": {"path": str(self.folder / "out.db")},
                "table": "rows",
            },
        }
        return spec | changes

    def workflow(self, **changes: Any) -> str:
        return str(self.put("/api/v1/workflows", self.spec(**changes))["workflow_id"])

    def run(self, workflow: str | None = None, **body: Any) -> Execution:
        answer = self.post(f"/api/v1/workflows/{workflow or self.workflow()}/executions", body, status=201)
        return Execution(self, answer["execution_id"])

    def execution(self, execution_id: str) -> Execution:
        return Execution(self, execution_id)

    def publish(self, api_name: str = "invoices", **spec: Any) -> Deployment:
        """A workflow published as an API, with a key."""
        ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}}
        self.workflow(**{"name": f"w-{api_name}", **ends, **spec})
        body = {"api_name": api_name, "workflow": spec.get("name", f"w-{api_name}")}
        deployment_id = self.put("/api/v1/deployments", body)["deployment_id"]
        key = self.key("deployment", api_name)
        return Deployment(self, deployment_id, api_name, key)

    def key(self, scope: str, target: str | None, **more: Any) -> str:
        return str(
            self.post("/api/v1/keys", {"scope": scope, "target": target, "name": "k", **more}, status=201)["key"]
        )

    def write(self, statement: str, **values: Any) -> int:
        with self.database.writing() as connection:
            return connection.execute(text(statement), values).rowcount


class Deployment:
    """An API, called as its callers do."""

    def __init__(self, api: Api, deployment_id: str, name: str, key: str) -> None:
        self.api = api
        self.id = deployment_id
        self.name = name
        self.key = key
        self.path = f"/deployment/api/{api.organization}/{name}/"

    def post(self, *files: tuple[str, bytes], query: str = "", status: int | None = 200, **fields: Any) -> Any:
        parts = [("files", (name, content)) for name, content in files]
        answer = self.api.client.post(
            self.path + query, files=parts, data=fields, headers={"Authorization": f"Bearer {self.key}"}
        )
        assert status is None or answer.status_code == status, answer.text
        self.last = answer
        return answer.json()

    def call(self, *files: tuple[str, bytes], **fields: Any) -> Execution:
        message = self.post(*files, **fields)["message"]
        assert message["execution_status"] == "PENDING" and message["result"] is None
        return Execution(self.api, message["execution_id"])

    def get(self, run: Execution | str, *, status: int | None = 200, key: str | None = None, **query: Any) -> Any:
        params = {"execution_id": run if isinstance(run, str) else run.id, **query}
        answer = self.api.client.get(self.path, params=params, headers={"Authorization": f"Bearer {key or self.key}"})
        assert status is None or answer.status_code == status, answer.text
        self.last = answer
        return answer.json()

    def work(self, run: Execution, results: dict[str, Any] | None = None) -> Any:
        """What the workers do with the message of ``run``: the outcome of file ``name`` is ``results[name]``."""
        message = next(sent for sent in self.api.recorder.sent if sent[1][2] == run.id)
        run.register(list(message[1][3].values()))
        started = run.start()
        if started["status"] == "skipped":
            return started
        outcomes = []
        for claim in run.take():
            name = claim["file"]["file_name"]
            given = (results or {}).get(name, {"text": name})
            if isinstance(given, str):
                outcomes.append(outcome(claim, "ERROR", error=given))
            else:
                result = {"output": given, "metadata": {"extracted_text": f"text of {name}"}, "metrics": {"s": 1}}
                outcomes.append(outcome(claim, result=result, metadata={"source_name": name, "tool_metadata": [{}]}))
        return run.api.post(f"{run.path}/files/report/", {"owner": "worker", "lease_seconds": 60, "outcomes": outcomes})


class Execution:
    """One execution, driven as a worker drives it."""

    def __init__(self, api: Api, execution_id: str) -> None:
        self.api = api
        self.id = execution_id
        self.path = f"/internal/v1/workflow-execution/{execution_id}"

    def register(self, files: list[Any], page: int = 1, limit: int | None = None) -> Any:
        body = {"page": page, "files": files} | ({} if limit is None else {"limit": limit})
        return self.api.post(f"{self.path}/files/register/", body)

    def start(self, batch_count: int = 1) -> Any:
        return self.api.post(f"{self.path}/start/", {"batch_count": batch_count})

    def ready(self, names: int | list[Any], batch_count: int = 1) -> Execution:
        self.register(documents(names) if isinstance(names, int) else names)
        self.start(batch_count)
        return self

    def claim(self, limit: int = 100, owner: str = "worker", lease: float = 60.0, **more: Any) -> Any:
        return self.api.post(
            f"{self.path}/files/claim/", {"owner": owner, "lease_seconds": lease, "limit": limit, **more}
        )

    def take(self, limit: int = 100, owner: str = "worker") -> list[Any]:
        """Claim until ``limit`` files are held; a single claim is sized by how much is waiting."""
        held: list[Any] = []
        while len(held) < limit and (more := self.claim(limit - len(held), owner).get("claims")):
            held += more
        return held

    def report(
        self, claims: list[Any] | None = None, status: str = "COMPLETED", owner: str = "worker", **more: Any
    ) -> Any:
        outcomes = [outcome(claim, status) for claim in claims or []]
        return self.api.post(
            f"{self.path}/files/report/", {"owner": owner, "lease_seconds": 60, "outcomes": outcomes} | more
        )

    def finalize(self, **body: Any) -> Any:
        return self.api.post(f"{self.path}/finalize/", body)

    def state(self) -> Any:
        return self.api.get(f"/api/v1/executions/{self.id}")

    @property
    def status(self) -> str:
        return str(self.state()["execution"]["status"])

    def files(self) -> list[Any]:
        return list(self.api.get(f"/api/v1/executions/{self.id}/files?limit=500")["files"])

    def expire_leases(self) -> None:
        self.api.write(
            "UPDATE file_executions SET lease_until = 1 WHERE lease_until > 1 AND execution_id = :e", e=self.id
        )

    def age(self, seconds: float) -> None:
        """Move everything the sweep looks at into the past."""
        self.api.write(
            "UPDATE executions SET created_at = created_at - :s, progress_at = progress_at - :s, "
            "dispatched_at = dispatched_at - :s, redispatched_at = redispatched_at - :s WHERE id = :e",
            s=seconds,
            e=self.id,
        )
        self.api.write(
            "UPDATE file_executions SET redispatched_at = redispatched_at - :s, modified_at = modified_at - :s "
            "WHERE execution_id = :e",
            s=seconds,
            e=self.id,
        )


DATABASES = ["sqlite", "postgresql"]


class Backends:
    """Backends with empty tables. Each is started once: to empty its tables takes a tenth of its start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._running: dict[tuple[str, str], Api] = {}

    def empty(self, kind: str, purpose: str, **changes: Any) -> Api:
        """The backend of this purpose on a database of this kind; ``changes`` are settings of its own."""
        if (kind, purpose) not in self._running:
            folder = self._folder / f"{purpose}-{kind}"
            folder.mkdir()
            self._running[kind, purpose] = self._stack.enter_context(running(kind, folder, **changes))
        started = self._running[kind, purpose]
        with started.database.writing() as connection:
            if kind == "postgresql":  # a sweep that a test woke may still run: in its order, and not against it
                connection.execute(text("LOCK TABLE executions"))
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        shutil.rmtree(started.folder / "storage", ignore_errors=True)
        started.recorder.forget()
        return started.other()

    def close(self) -> None:
        """End all of them."""
        self._stack.close()


@contextmanager
def database_url(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'docfleet.db'}"
        return
    server = os.environ.get(POSTGRES)
    if not server:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{POSTGRES} is not set, and REQUIRE_SERVICES=1 asks for PostgreSQL")
        pytest.skip(f"no PostgreSQL: {POSTGRES} is not set")
    name = f"docfleet_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(normalise_url(server), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def make_settings(url: str, **changes: Any) -> BackendSettings:
    values: dict[str, Any] = {
        "database_url": url,
        "internal_service_api_key": KEY,
        "internal_service_api_key_previous": OLD_KEY,
        "encryption_key": Fernet.generate_key().decode(),
        "broker_url": "memory://",
        "max_file_attempts": 3,
    }
    if url.startswith("sqlite"):
        values["execution_storage_root"] = str(Path(url.removeprefix("sqlite:///")).parent / "storage")
    return BackendSettings(**(values | changes))


@contextmanager
def running(kind: str, folder: Path, **changes: Any) -> Iterator[Api]:
    with database_url(kind, folder) as url:
        settings = make_settings(url, **{"execution_storage_root": str(folder / "storage"), **changes})
        recorder = Recorder()
        app = create_app(settings, recorder)
        database = Database(url)
        try:
            with TestClient(app, raise_server_exceptions=False) as client:
                yield Api(client, database, recorder, folder)
        finally:
            database.close()
