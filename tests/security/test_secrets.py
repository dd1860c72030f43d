"""Canaries in every place for a secret, a run with successes and failures at DEBUG, and then they are looked for."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import tempfile
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis
import sqlalchemy as sa
import structlog

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.core import masking
from docfleet.core.logs import configure_logging
from tests.acceptance.fleet import DOCFLEET, Fleet, fill, plain_environment
from tests.acceptance.published import Published
from tests.servers import Postgres, Rabbitmq, Valkey, require
from tests.waiting import until

pytestmark = pytest.mark.timeout(600)
CANARY = "c4n4ry"


def _secret(kind: str) -> str:
    return f"{CANARY}-{kind}-{uuid.uuid4().hex}"


@pytest.fixture
def own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logging set up in this process, and taken back."""
    root, ours = logging.getLogger(), logging.getLogger("docfleet")
    before = root.handlers[:], root.level, ours.level
    monkeypatch.setattr(masking, "_remembered", set())
    monkeypatch.setattr(masking, "_any_of_them", None)
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.usefixtures("own_logging")
def test_no_secret_is_logged_by_name_by_place_or_by_value(capsys: pytest.CaptureFixture[str], style: Any) -> None:
    key = "k-" + 'with "quotes" / and ünicode'
    masking.remember_settings(
        {
            "INTERNAL_SERVICE_API_KEY": key,
            "DATABASE_URL": "postgresql://u:p%40ssw0rd-of-db@h/d",
            "LOG_LEVEL": "DEBUGGING",
        }
    )
    configure_logging("DEBUG", style)
    log = structlog.get_logger("docfleet.test")
    log.info("one", password="by-name-1", nested={"settings": {"api_key": "by-name-2", "user": "shown"}})
    log.info("two", url="redis://:by-place@host/0", text="amqp://u:by-place@host//", level_name="DEBUGGING")
    log.info("three", text=f"the key is {key}", other="p@ssw0rd-of-db")
    logging.getLogger("library").warning("header %s and %r", key, {"x": "p%40ssw0rd-of-db"})
    try:
        raise ValueError(f"a traceback with {key} and https://u:by-place@host")
    except ValueError:
        log.exception("four")
    said = capsys.readouterr().err
    for hidden in ("by-name", "by-place", "ssw0rd", "quotes", "nicode"):
        assert hidden not in said, said
    assert "shown" in said and "DEBUGGING" in said and "Traceback" in said
    assert len(said.splitlines()) >= 5


class Scene:
    """A fleet with canaries, on servers of its own, and copies of all messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.life = Lifeline()
        self.secrets: dict[str, str] = {}
        # Its user, who is not this one, has to get there.
        self._open_folder = Path(tempfile.mkdtemp(prefix="docfleet-secrets-"))
        self._open_folder.chmod(0o755)
        self.postgres = require(lambda: Postgres(self._open_folder / "postgres", self.life))
        self.rabbitmq = require(lambda: Rabbitmq(folder / "rabbitmq", self.life))
        self.valkey = Valkey(folder / "valkey", self.life)
        for server in (self.postgres, self.rabbitmq, self.valkey):
            server.start()
        self.engine = sa.create_engine(
            sa.make_url(self.postgres.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        self.fleet = self._fleet()
        self.messages: list[str] = []
        self._over = threading.Event()
        self._copies = threading.Thread(target=self._copy)
        self._copies.start()

    def canary(self, kind: str) -> str:
        self.secrets[kind] = _secret(kind)
        return self.secrets[kind]

    def _fleet(self) -> Fleet:
        with self.engine.connect() as connection:
            for user in ("backend", "results", "destination"):
                password = self.canary(f"{user}-password")
                connection.execute(sa.text(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'"))
                connection.execute(sa.text(f"CREATE DATABASE {user} OWNER {user}"))
        broker = self.canary("broker-password")
        self.rabbitmq.control("add_user", "canary", broker)
        self.rabbitmq.control("set_permissions", "canary", ".*", ".*", ".*")
        cache = self.canary("redis-password")
        with redis.Redis.from_url(self.valkey.url(0)) as client:
            client.config_set("requirepass", cache)
        import base64

        self.secrets["encryption-key"] = base64.urlsafe_b64encode(f"{CANARY}{uuid.uuid4().hex[:26]}".encode()).decode()
        self.broker_url = f"amqp://canary:{broker}@127.0.0.1:{self.rabbitmq.port}//"
        return Fleet(
            self.folder,
            {
                "DATABASE_URL": self.url("backend"),
                "CELERY_BROKER_BASE_URL": self.broker_url,
                "CELERY_RESULT_BACKEND": f"db+{self.url('results')}",
                "REDIS_URL": f"redis://:{cache}@127.0.0.1:{self.valkey.port}/0",
                "INTERNAL_SERVICE_API_KEY": self.canary("internal-key"),
                "RUNNER_API_KEY": self.canary("runner-key"),
                "ENCRYPTION_KEY": self.secrets["encryption-key"],
                "LOG_LEVEL": "DEBUG",
                "LOG_FORMAT": "json",
            },
        )

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{name}:{self.secrets[name + '-password']}@127.0.0.1:{self.postgres.port}/{name}"

    def _copy(self) -> None:
        """The broker's own trace: a copy of every message that is published or delivered."""
        self.rabbitmq.control("trace_on")
        with kombu.Connection(self.rabbitmq.url) as connection:
            trace = kombu.Exchange("amq.rabbitmq.trace", type="topic", no_declare=True)
            queue = kombu.Queue("copies", trace, routing_key="publish.#", durable=False)

            def keep(message: Any) -> None:
                self.messages.append(json.dumps([str(message.body), message.headers, message.properties], default=str))
                message.ack()

            with connection.Consumer([queue], on_message=keep):
                while not self._over.is_set():
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.2)

    def close(self) -> None:
        self._over.set()
        self._copies.join()
        self.engine.dispose()
        self.fleet.stop()
        for server in (self.valkey, self.rabbitmq, self.postgres):
            server.stop(5.0)
        self.life.close()
        shutil.rmtree(self._open_folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """Every row of a database, as text."""
        engine = sa.create_engine(self.url(name))
        found: list[str] = []
        with engine.connect() as connection:
            for table in sa.inspect(connection).get_table_names():
                for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')):
                    found.append(f"{table} {[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]}")
        engine.dispose()
        return "\n".join(found)

    def redis(self) -> str:
        """Every key of the cache, dumped."""
        found = []
        with redis.Redis(port=self.valkey.port, password=self.secrets["redis-password"]) as client:
            for number in range(16):
                client.select(number)
                found += [repr((key, client.dump(key))) for key in client.scan_iter()]
        return "\n".join(found)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    scene = Scene(tmp_path_factory.mktemp("secrets"))
    yield scene
    scene.close()


def _found(secrets: dict[str, str], text: str) -> list[str]:
    return [kind for kind, secret in secrets.items() if secret in text]


@pytest.mark.slow
def test_no_canary_is_found_anywhere(scene: Scene, tmp_path: Path) -> None:
    fleet = scene.fleet
    source = fill(
        tmp_path / "in", {"good.txt": "words", "bad.txt": "crash", "empty.txt": "", "broken.pdf": "%PDF-1.4 x"}
    )
    port = scene.postgres.port
    places = {
        "fields": {"host": "127.0.0.1", "port": port, "database": "destination", "user": "destination"},
        "wrong": {"host": "127.0.0.1", "port": port, "database": "destination", "user": "destination"},
        "nowhere": {"host": "127.0.0.1", "port": 1, "database": "x", "user": "x"},
    }
    places["fields"]["password"] = scene.secrets["destination-password"]
    places["wrong"]["password"] = scene.canary("wrong-password")
    places["nowhere"]["password"] = scene.canary("nowhere-password")
    scene.secrets["url-password"] = _secret("url")
    places["url"] = {
        "connection_url": f"postgresql://destination:{scene.secrets['url-password']}@127.0.0.1:{port}/destination"
    }
    runs = []
    for settings in places.values():
        destination = {"connector": "postgresql", "settings": settings, "table": "results"}
        runs.append(fleet.begin(source, "text_extractor", destination=destination))
    for run in runs:
        run.wait()
    assert runs[0].state.execution.successful_files >= 1
    api = Published.publish(fleet, {"tool": "text_extractor"})
    scene.secrets["api-key"] = api.key
    answers = [
        api.post(("a.txt", "words"), timeout="30").body,
        api.post(("b.pdf", b"%PDF-1.4 broken"), timeout="30").body,
    ]
    rejected = urllib.request.Request(
        api.url, data=b"", headers={"Authorization": f"Bearer {scene.canary('made-up-key')}"}
    )
    with suppress(OSError):
        urllib.request.urlopen(rejected, timeout=10).close()
    until(lambda: len(scene.messages) >= 6, what="no copies of messages")

    shown = [json.dumps([run.statuses, run.error, [file.error for file in run.files]], default=str) for run in runs]
    shown += [run.page() + json.dumps(run.json(), default=str) for run in runs[:1]]
    environment = {**plain_environment(), "NO_COLOR": "1"}
    for arguments in (("executions", "show", runs[1].id), ("executions", "list"), ("keys", "list")):
        command = [*DOCFLEET, *arguments, "--data", str(fleet.data)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode == 0, done.stderr
        shown.append(done.stdout + done.stderr)
    metrics = urllib.request.Request(
        f"{fleet.addresses.backend_url}/metrics", headers={"Authorization": f"Bearer {fleet.addresses.key}"}
    )
    with urllib.request.urlopen(metrics, timeout=10) as answer:
        shown.append(answer.read().decode())
    logs = {path.name: path.read_text(errors="replace") for path in (fleet.data / "logs").glob("*.log")}
    assert {"backend.log", "runner.log", "file_processing.log"} <= set(logs) and '"debug"' in logs[
        "file_processing.log"
    ]
    looked_at = {
        **{f"the log {name}": text for name, text in logs.items()},
        "what is shown": "\n".join(shown),
        "answers": json.dumps(answers),
        "the backend's database": scene.database("backend"),
        "the result backend": scene.database("results"),
        "Redis": scene.redis(),
        "messages": "\n".join(scene.messages),
        "the destination": scene.database("destination"),
        "what the supervisor said": (fleet.folder / "dev.log").read_text(errors="replace"),
    }
    hits = {where: found for where, text in looked_at.items() if (found := _found(scene.secrets, text))}
    assert hits == {}
    assert "wrong" in str([run.error for run in runs]) or "authentication failed" in looked_at["what is shown"]
