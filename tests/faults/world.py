"""A whole Docfleet of plain processes, each restarted when it dies, and the faults that meet it.

Two legs. ``redis``: Valkey is broker and cache, another Valkey keeps results, SQLite is the backend's database.
``rabbitmq``: RabbitMQ is the broker, PostgreSQL keeps results and the backend's data, Valkey is only the cache.

Faults are armed in running processes by a file (``docfleet.core.faults``); servers and processes can be killed, paused
and stopped at any moment. What a test then looks at is ``FaultRun.check``: rows, the destination, the storage folder.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.cli.embedded.system import Addresses
from docfleet.cli.management import ManagementClient
from docfleet.core.management.keys import Scope
from docfleet.core.names import WorkerType
from tests.acceptance.fleet import PLUGINS, SETTINGS, fill, plain_environment
from tests.acceptance.published import Published
from tests.faults.armed_faults import ArmedFaults
from tests.faults.fault_run import TABLE, FaultRun
from tests.faults.members import OPENER, Members
from tests.faults.proxy import Proxy
from tests.faults.queues import Queues
from tests.servers import Mariadb, Postgres, Rabbitmq, Server, Valkey, free_port

LEGS = ("redis", "rabbitmq")
LEASE_SECONDS = float(SETTINGS["LEASE_SECONDS"])
SWEEP_SECONDS = float(SETTINGS["SWEEP_INTERVAL_SECONDS"])
BATCHES = 4
WORKERS = {
    WorkerType.GENERAL: 1,
    WorkerType.API_DEPLOYMENT: 1,
    WorkerType.FILE_PROCESSING: 1,
    WorkerType.CALLBACK: 1,
}
_BACKEND, _RESULTS = "docfleet_backend", "docfleet_results"


class World(Members, Queues, ArmedFaults):
    """A running Docfleet with the servers it needs; see the module."""

    def __init__(
        self,
        leg: str,
        folder: Path,
        settings: dict[str, str] | None = None,
        workers: dict[WorkerType, int] | None = None,
        *,
        proxied: bool = False,
    ) -> None:
        """``settings`` are environment variables beyond ``SETTINGS``; ``workers`` how many run of each type. With
        ``proxied`` workers reach the backend through ``proxy``."""
        super().__init__()
        self.leg = leg
        self.folder = folder
        self.data = folder / "data"
        self.faults = folder / "faults"
        for path in (self.data / "storage", self.data / "logs", self.faults):
            path.mkdir(parents=True)
        self.lifeline = Lifeline()
        # Not below pytest's folder, which is closed to the users that servers run as.
        self._servers_folder = Path(tempfile.mkdtemp(prefix="docfleet-world-"))
        self._servers_folder.chmod(0o755)
        self.valkey = Valkey(self._servers_folder / "valkey", self.lifeline)
        self.servers: list[Server] = [self.valkey]
        self.proxy: Proxy | None = None
        try:
            self._start(settings or {}, {**WORKERS, **(workers or {})}, proxied)
        except BaseException:
            self._close()
            raise

    def _start(self, settings: dict[str, str], workers: dict[WorkerType, int], proxied: bool) -> None:
        if self.leg == "rabbitmq":
            self.rabbitmq = Rabbitmq(self._servers_folder / "rabbitmq", self.lifeline)
            self.servers += [self.rabbitmq, self.postgres]
        else:
            self.results = Valkey(self._servers_folder / "results", self.lifeline)
            self.servers.append(self.results)
        for server in self.servers:
            server.start()
        self.addresses = Addresses(
            f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", "fault-suite-" + uuid.uuid4().hex * 2
        )
        self.proxy = Proxy(self.addresses.backend_url) if proxied else None
        self.environment = self._settings(settings)
        self.add("backend", ("backend",), self.url_answers(self.addresses.backend_url))
        self.add("runner", ("runner",), self.url_answers(self.addresses.runner_url))
        for kind, number in workers.items():
            for count in range(number):
                self.add_worker(kind, wait=False, name=kind.value if number == 1 else f"{kind.value}-{count + 1}")
        self.add_worker(WorkerType.SCHEDULER, wait=False)
        self.keep_running()
        self.client = ManagementClient(self.addresses)
        self.await_ready()
        self.client.put_organization()
        self.runs: list[FaultRun] = []
        self.log_begins: dict[str, int] = {}

    # What it consists of

    @cached_property
    def postgres(self) -> Postgres:
        """On the ``redis`` leg it is only a destination, and started on first use."""
        server = Postgres(self._servers_folder / "postgres", self.lifeline)
        if self.leg == "redis":
            server.start()
            self.servers.append(server)
        return server

    @cached_property
    def mariadb(self) -> Mariadb:
        """Only a destination, and started on first use."""
        server = Mariadb(self._servers_folder / "mariadb", self.lifeline)
        server.start()
        self.servers.append(server)
        return server

    @property
    def broker(self) -> Server:
        """The server of the broker."""
        return self.valkey if self.leg == "redis" else self.rabbitmq

    @contextmanager
    def without_results(self) -> Iterator[None]:
        """The result backend, and nothing else, is away: killed, or its database closed to everybody."""
        if self.leg == "redis":
            self.results.kill()
        else:
            self._close_results(True)
        try:
            yield
        finally:
            if self.leg == "redis":
                self.results.start()
            else:
                self._close_results(False)

    def _close_results(self, closed: bool) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as database:
            database.execute(f"ALTER DATABASE {_RESULTS} ALLOW_CONNECTIONS {not closed}")
            if closed:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                database.execute(query, (_RESULTS,))

    @property
    def broker_url(self) -> str:
        return self.valkey.url(0) if self.leg == "redis" else self.rabbitmq.url

    @cached_property
    def database(self) -> sa.Engine:
        """The backend's rows."""
        return sa.create_engine(self.environment["DATABASE_URL"], poolclass=sa.NullPool)

    def _settings(self, settings: dict[str, str]) -> dict[str, str]:
        registry = self.folder / "registry"
        registry.mkdir()
        (registry / "actor.yaml").write_text(json.dumps({"tool_id": "actor", "module": "actor.tool:tool"}))
        if self.leg == "redis":
            database, result = f"sqlite:///{self.data / 'docfleet.db'}", self.results.url(0)
        else:
            database, result = self.new_database(_BACKEND), f"db+{self.new_database(_RESULTS)}"
        return {
            **plain_environment(),
            **SETTINGS,
            "DATABASE_URL": database,
            "CELERY_BROKER_BASE_URL": self.broker_url,
            "CELERY_RESULT_BACKEND": result,
            "REDIS_URL": self.valkey.url(2),
            "INTERNAL_SERVICE_API_KEY": self.addresses.key,
            "RUNNER_API_KEY": self.addresses.key[::-1],
            "ENCRYPTION_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "INTERNAL_API_BASE_URL": f"{self.proxy.url if self.proxy else self.addresses.backend_url}/internal",
            "UNSTRACT_RUNNER_URL": self.addresses.runner_url,
            "EXECUTION_STORAGE_ROOT": str(self.data / "storage"),
            "BACKEND_PORT": self.addresses.backend_url.rpartition(":")[2],
            "RUNNER_PORT": self.addresses.runner_url.rpartition(":")[2],
            "RUNNER_GRACE_SECONDS": "1",
            "WORKER_HEALTH_PORT": "0",
            # So many batches a run, whatever the number of processors.
            "FILE_PROCESSING_CONCURRENCY": str(BATCHES),
            "TOOL_REGISTRY_CONFIG_PATH": str(registry),
            # A changed copy of the tree (``mutations``) comes first.
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(PLUGINS)))),
            "DOCFLEET_FAULTS_FOLDER": str(self.faults),
            # Tests leave executions behind and count messages: none of them is parked.
            "MAX_OPEN_BATCHES": "100000",
            **settings,
        }

    def new_database(self, name: str) -> str:
        """Its URL."""
        url = sa.make_url(self.postgres.url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return url.set(database=name).render_as_string(hide_password=False)

    def sweep(self) -> dict[str, Any]:
        """One sweep; what it did, ``{}`` when the backend is away."""
        request = urllib.request.Request(
            f"{self.addresses.backend_url}/internal/v1/sweep/",
            data=b"{}",
            headers={"Authorization": f"Bearer {self.addresses.key}", "Content-Type": "application/json"},
        )
        try:
            with OPENER.open(request, timeout=30.0) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return {}

    def stop(self) -> None:
        """End everything."""
        self.stop_members()
        for server in self.servers:
            server.resume()
            server.stop(5.0)
        self.database.dispose()
        self._close()

    def _close(self) -> None:
        if self.proxy is not None:
            self.proxy.close()
        self.lifeline.close()
        shutil.rmtree(self._servers_folder, ignore_errors=True)

    def reset(self) -> None:
        """Between two tests: nothing armed, everything runs, nothing waits from before."""
        self.disarm()
        if self.proxy is not None:
            self.proxy.reset()
        for server in self.servers:
            server.resume()
            server.start()
        for member in self.members.values():
            member.wanted = True
            member.keep()
            member.process.signal(signal.SIGCONT)
        self.await_ready()

    # What happens to it

    # What it does

    def begin(
        self,
        files: dict[str, str],
        *,
        tool: dict[str, Any] | None = None,
        destination: str = "sqlite",
        workflow: dict[str, Any] | None = None,
        name: str = "",
    ) -> FaultRun:
        """Start an execution over these files: of a pipeline of its own (``name`` is also that of its folder in
        ``sources``), or of an API (``destination="api"``)."""
        name = name or f"w{uuid.uuid4().hex[:12]}"
        tools = [tool or {"tool": "actor"}]
        if destination == "api":
            api = Published.publish(self, *tools)  # type: ignore[arg-type]
            answer = api.post(*files.items(), timeout="0")
            assert answer.status == 200, answer
            return self.remember(FaultRun(self, answer.body["message"]["execution_id"], destination, api=api))
        source = fill(self.folder / "sources" / name, dict(files.items()))
        self.client.put_workflow(
            {
                "name": name,
                "source": {"connector": "local", "settings": {"path": str(source)}},
                "tools": tools,
                "destination": self.destination(destination, source),
                **(workflow or {}),
            }
        )
        applied = self.client.put_pipeline({"name": name, "workflow": name})
        key = self.client.create_key(Scope.PIPELINE, name, "faults").key
        request = urllib.request.Request(
            self.client.absolute(applied.url), data=b"", headers={"Authorization": f"Bearer {key}"}
        )
        with OPENER.open(request, timeout=30.0) as answer:
            execution_id = str(json.load(answer)["execution_id"])
        return self.remember(FaultRun(self, execution_id, destination, source=source, pipeline=name))

    def run(self, files: dict[str, str], **options: Any) -> FaultRun:
        """``begin``, and wait for the end."""
        return self.begin(files, **options).wait()

    def remember(self, run: FaultRun) -> FaultRun:
        """Whose end is looked at again when the module is done."""
        self.runs.append(run)
        return run

    def destination(self, kind: str, source: Path) -> dict[str, Any]:
        """A destination beside the source: ``sqlite``, ``postgres``, ``mariadb`` or ``files``."""
        match kind:
            case "sqlite":
                settings = {"path": str(source.with_suffix(".db"))}
                return {"connector": "sqlite", "settings": settings, "table": TABLE}
            case "postgres":
                settings = {"connection_url": self.postgres.url}
                return {"connector": "postgresql", "settings": settings, "table": f"{TABLE}_{source.name}"}
            case "mariadb":
                url = sa.make_url(self.mariadb.url)
                fields = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
                settings = {**fields, "database": "mysql"}
                return {"connector": "mariadb", "settings": settings, "table": f"{TABLE}_{source.name}"}
            case "files":
                into = source.with_suffix(".out")
                into.mkdir(exist_ok=True)
                return {"connector": "local", "settings": {"path": str(into)}, "outputFolder": "/"}
            case _:
                raise ValueError(f"no such destination: {kind}")
