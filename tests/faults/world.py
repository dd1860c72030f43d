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
import random
import shutil
import signal
import sys
import tempfile
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import kombu
import psycopg
import redis
import sqlalchemy as sa
from fault_run import TABLE, FaultRun
from fleet import HERE as ACCEPTANCE
from fleet import SETTINGS, children, fill, plain_environment, until
from proxy import Proxy
from published import Published
from servers import Postgres, Process, Rabbitmq, Server, Valkey, free_port

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.cli.embedded.system import Addresses
from docfleet.cli.management import ManagementClient
from docfleet.core.management.keys import Scope
from docfleet.core.names import QueueName, WorkerType
from docfleet.workers.shared.infrastructure.config.registry import WORKERS as SPECS

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
CHILDREN = 2
START_LIMIT = 3
_BACKEND, _RESULTS = "docfleet_backend", "docfleet_results"
_PERIOD = 0.05
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Member:
    """One process of Docfleet, kept running while it is ``wanted``, as a pod is."""

    def __init__(self, process: Process, ready: Callable[[], bool]) -> None:
        self.process = process
        self.ready = ready
        self.wanted = False
        self.lock = threading.RLock()

    @property
    def pid(self) -> int:
        """Of its leader: a worker's main process."""
        return self.process.pid

    def keep(self) -> None:
        """Start it again where it died."""
        with self.lock:
            if self.wanted and not self.process.runs:
                self.process.start()

    def stop(self, seconds: float = 0.0) -> None:
        """End it for good: with SIGTERM and ``seconds`` to end in, else with SIGKILL of the group."""
        with self.lock:
            self.wanted = False
            self.process.terminate(signal.SIGTERM if seconds else signal.SIGKILL, seconds or 10.0)

    def children(self) -> list[int]:
        """A worker's pool."""
        return children(self.process.pid)


class World:
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
        self.leg = leg
        self.folder = folder
        self.data = folder / "data"
        self.faults = folder / "faults"
        for path in (self.data / "storage", self.data / "logs", self.faults):
            path.mkdir(parents=True)
        self._lifeline = Lifeline()
        # Not below pytest's folder, which is closed to the users that servers run as.
        self._servers_folder = Path(tempfile.mkdtemp(prefix="docfleet-world-"))
        self._servers_folder.chmod(0o755)
        self.valkey = Valkey(self._servers_folder / "valkey", self._lifeline)
        self.servers: list[Server] = [self.valkey]
        self.proxy: Proxy | None = None
        try:
            self._start(settings or {}, {**WORKERS, **(workers or {})}, proxied)
        except BaseException:
            self._close()
            raise

    def _start(self, settings: dict[str, str], workers: dict[WorkerType, int], proxied: bool) -> None:
        if self.leg == "rabbitmq":
            self.rabbitmq = Rabbitmq(self._servers_folder / "rabbitmq", self._lifeline)
            self.servers += [self.rabbitmq, self.postgres]
        else:
            self.results = Valkey(self._servers_folder / "results", self._lifeline)
            self.servers.append(self.results)
        for server in self.servers:
            server.start()
        self.addresses = Addresses(
            f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", "fault-suite-" + uuid.uuid4().hex * 2
        )
        self.proxy = Proxy(self.addresses.backend_url) if proxied else None
        self.environment = self._settings(settings)
        self.members: dict[str, Member] = {}
        self.add("backend", ("backend",), self.url_answers(self.addresses.backend_url))
        self.add("runner", ("runner",), self.url_answers(self.addresses.runner_url))
        for kind, number in workers.items():
            for count in range(number):
                self.add_worker(kind, wait=False, name=kind.value if number == 1 else f"{kind.value}-{count + 1}")
        self.add_worker(WorkerType.SCHEDULER, wait=False)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._keep, daemon=True)]
        for thread in self._threads:
            thread.start()
        self.client = ManagementClient(self.addresses)
        self.await_ready()
        self.client.put_organization()
        self.runs: list[FaultRun] = []
        self.log_begins: dict[str, int] = {}

    # What it consists of

    @cached_property
    def postgres(self) -> Postgres:
        """On the ``redis`` leg it is only a destination, and started on first use."""
        server = Postgres(self._servers_folder / "postgres", self._lifeline)
        if self.leg == "redis":
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
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ACCEPTANCE)))),
            "DOCFLEET_FAULTS_FOLDER": str(self.faults),
            **settings,
        }

    def new_database(self, name: str) -> str:
        """Its URL."""
        url = sa.make_url(self.postgres.url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return url.set(database=name).render_as_string(hide_password=False)

    def add(
        self, name: str, arguments: tuple[str, ...], ready: Callable[[], bool], settings: dict[str, str] | None = None
    ) -> Member:
        """Start ``docfleet ARGUMENTS`` as a member of this name, and do not wait."""
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", *arguments]
        environment = {**self.environment, **(settings or {})}
        process = Process(name, command, environment, self.data / "logs", self._lifeline)
        member = self.members[name] = Member(process, ready)
        member.wanted = True
        member.keep()
        return member

    def add_worker(
        self,
        kind: WorkerType,
        *,
        name: str = "",
        wait: bool = True,
        settings: dict[str, str] | None = None,
        slots: int = CHILDREN,
    ) -> Member:
        """One more worker of this type, with so many pool children."""
        name = name or (kind.value if kind.value not in self.members else f"{kind.value}-{uuid.uuid4().hex[:4]}")
        ready = self.folder / f"{name}.ready"
        arguments = ("worker", kind.value, *(("--concurrency", str(slots)) if SPECS[kind].concurrency != 1 else ()))
        # The worker takes the file away when it starts.
        member = self.add(name, arguments, ready.exists, {"WORKER_READY_FILE": str(ready), **(settings or {})})
        if wait:
            self.await_ready(name)
        return member

    def await_ready(self, *names: str, seconds: float = 60.0) -> None:
        """Return when these members (default: all that are wanted) serve."""
        members = [self.members[name] for name in names] or [each for each in self.members.values() if each.wanted]
        for member in members:
            starts = member.process.starts

            def serves(member: Member = member, starts: int = starts) -> bool:
                # One that dies again and again while nothing is done to it will never serve.
                if member.process.starts > starts + START_LIMIT:
                    raise RuntimeError(f"{member.process.name} does not start:\n{member.process.log_tail()}")
                return member.process.runs and member.ready()

            until(serves, seconds, what=f"{member.process.name} does not start:\n{member.process.log_tail()}")

    def url_answers(self, url: str) -> Callable[[], bool]:
        """Whether the server at ``url`` is ready."""

        def answers() -> bool:
            try:
                with _OPENER.open(f"{url}/readyz", timeout=1.0) as answer:
                    return bool(answer.status == 200)
            except (OSError, ValueError):
                return False

        return answers

    def _keep(self) -> None:
        while not self._over.wait(_PERIOD):
            for member in list(self.members.values()):
                member.keep()

    def sweep(self) -> dict[str, Any]:
        """One sweep; what it did, ``{}`` when the backend is away."""
        request = urllib.request.Request(
            f"{self.addresses.backend_url}/internal/v1/sweep/",
            data=b"{}",
            headers={"Authorization": f"Bearer {self.addresses.key}", "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=30.0) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return {}

    def stop(self) -> None:
        """End everything."""
        self._over.set()
        for thread in self._threads:
            thread.join(40)
        for member in self.members.values():
            member.stop()
        for server in self.servers:
            server.resume()
            server.stop(5.0)
        self.database.dispose()
        self._close()

    def _close(self) -> None:
        if self.proxy is not None:
            self.proxy.close()
        self._lifeline.close()
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

    def remove(self, name: str) -> None:
        """A worker that ``add_worker`` added is there no more."""
        self.members.pop(name).stop()

    @contextmanager
    def instead(self, *, slots: int = CHILDREN, **settings: str) -> Iterator[Member]:
        """One file-processing worker with so many children and these settings, and no other."""
        self.rest(WorkerType.FILE_PROCESSING.value)
        other = self.add_worker(WorkerType.FILE_PROCESSING, settings=settings, slots=slots)
        try:
            yield other
        finally:
            self.remove(other.process.name)
            self.wake(WorkerType.FILE_PROCESSING.value)

    @contextmanager
    def patient(self) -> Iterator[Member]:
        """One file-processing worker whose leases outlast a machine that stalls: a second attempt is a fault."""
        with self.instead(LEASE_SECONDS="120") as other:
            yield other

    # What happens to it

    def arm(self, text: str) -> None:
        """Arm faults in all processes, as ``docfleet.core.faults`` writes them; counts begin anew."""
        draft = self.faults / f"draft-{uuid.uuid4().hex}"
        draft.write_text(f"# {uuid.uuid4().hex}\n{text}\n")
        draft.replace(self.faults / "armed")

    def disarm(self) -> None:
        """No fault meets from now on, and who is held goes on."""
        (self.faults / "armed").unlink(missing_ok=True)
        for marker in self.faults.glob("*.*.*"):
            marker.unlink(missing_ok=True)

    def met(self, point: str) -> list[int]:
        """The process ids that a fault at this point has met since the last ``disarm``; a restarted counter is new."""
        found = []
        for marker in self.faults.glob(f"{point}.[0-9]*"):
            pid, _, action = marker.read_text().partition(" ")
            if pid and action.strip() not in ("", "-"):
                found.append(int(pid))
        return found

    def await_met(self, point: str, times: int = 1, seconds: float = 60.0) -> list[int]:
        """Return when a fault at this point has met so many times."""
        until(lambda: len(self.met(point)) >= times, seconds, what=f"{point} was met {len(self.met(point))} times")
        return self.met(point)

    def kill(self, name: str, *, child: bool = False, rng: random.Random | None = None) -> int:
        """SIGKILL: one process of a worker's pool, or the whole group of a member. Returns the process id."""
        member = self.members[name]
        if not child:
            pid = member.pid
            member.process.signal(signal.SIGKILL)
            return pid
        pool = until(member.children, 20, what=f"{name} has no pool")
        victim = int((rng or random).choice(pool))
        os.kill(victim, signal.SIGKILL)
        return victim

    @staticmethod
    def kill_process(pid: int) -> None:
        """SIGKILL of one process; harmless where it has ended."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def rest(self, *names: str, seconds: float = 0.0) -> None:
        """These members end and are not started again until ``wake``."""
        for name in names:
            self.members[name].stop(seconds)

    def clear(self, *queues: QueueName) -> None:
        """No message is in these any more: what a killed worker held comes back, and a test that counts begins at 0."""
        with self.channel() as channel:
            for queue in queues:
                channel.queue_purge(queue.value)

    def wake(self, *names: str) -> None:
        """Start members again, and wait for them."""
        for name in names:
            self.members[name].wanted = True
            self.members[name].keep()
        self.await_ready(*names)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of the broker."""
        with kombu.Connection(self.broker_url) as connection:
            yield connection.default_channel

    def queued(self, queue: QueueName) -> int:
        """Messages in a queue that nobody has taken."""
        if self.leg == "redis":
            return int(self.command("LLEN", queue.value))
        with self.channel() as channel:
            return int(_queue(queue)(channel).queue_declare(passive=True).message_count)

    def duplicate(self, queue: QueueName, copies: int = 1) -> None:
        """The first message of a queue is there ``copies`` times more, with the same id, header and body."""
        with self.channel() as channel:
            message = _queue(queue)(channel).get()
            assert message is not None, f"queue {queue.value} is empty"
            for _ in range(copies):
                self.publish(channel, queue, message.body, message)
            message.requeue()

    def replace(self, queue: QueueName, body: bytes) -> None:
        """The first message of a queue has another body from now on."""
        with self.channel() as channel:
            message = _queue(queue)(channel).get()
            assert message is not None, f"queue {queue.value} is empty"
            self.publish(channel, queue, body, message)
            message.ack()

    def command(self, *words: str) -> Any:
        """One command to the Redis of the broker."""
        with redis.Redis(port=self.valkey.port) as client:
            return client.execute_command(*words)

    @staticmethod
    def publish(channel: Any, queue: QueueName, body: Any, like: Any = None, **changed: Any) -> None:
        """A raw message; ``like`` is one whose header and properties it gets."""
        options: dict[str, Any] = {"content_type": "application/json", "content_encoding": "utf-8"}
        if like is not None:
            known = {key: like.properties[key] for key in ("correlation_id", "reply_to") if key in like.properties}
            options |= {"content_type": like.content_type, "content_encoding": like.content_encoding}
            options |= {"headers": like.headers, **known}
        kombu.Producer(channel).publish(body, routing_key=queue.value, exchange=queue.value, **{**options, **changed})

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
        with _OPENER.open(request, timeout=30.0) as answer:
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
        """A destination beside the source: ``sqlite``, ``postgres`` or ``files``."""
        match kind:
            case "sqlite":
                settings = {"path": str(source.with_suffix(".db"))}
                return {"connector": "sqlite", "settings": settings, "table": TABLE}
            case "postgres":
                settings = {"connection_url": self.postgres.url}
                return {"connector": "postgresql", "settings": settings, "table": f"{TABLE}_{source.name}"}
            case "files":
                into = source.with_suffix(".out")
                into.mkdir(exist_ok=True)
                return {"connector": "local", "settings": {"path": str(into)}, "outputFolder": "/"}
            case _:
                raise ValueError(f"no such destination: {kind}")


def _queue(queue: QueueName) -> kombu.Queue:
    return kombu.Queue(queue.value, kombu.Exchange(queue.value), routing_key=queue.value)
