"""The first minutes of a backend: what it says when it cannot start (one line and exit code 1), a database that starts
after it, and its first organization."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.platform.db import normalise_url
from docfleet.backend.startup import prepare_database
from docfleet.core.errors import DependencyError
from tests.servers import free_port

type Call = Callable[..., subprocess.CompletedProcess[str]]


BACKEND = [sys.executable, "-P", "-W", "error", "-m", "docfleet.cli.main", "backend"]


def settings(database: str, port: int, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database,
        "INTERNAL_SERVICE_API_KEY": uuid.uuid4().hex * 2,
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "CELERY_BROKER_BASE_URL": "memory://",
        "BACKEND_PORT": str(port),
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        **more,
    }


def refused(environment: dict[str, str]) -> tuple[int, str]:
    """The exit code and what is not a log line."""
    ended = subprocess.run(BACKEND, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "" and "Traceback" not in ended.stderr, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("docfleet: ")]
    assert ended.stderr.splitlines()[-1] == line
    return ended.returncode, line


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'docfleet.db'}"


def test_a_taken_port_is_one_line(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused(settings(database, port))
    assert code == 1 and f"port {port}" in line and "in use" in line and "BACKEND_PORT" in line


@pytest.mark.parametrize("networks", ["x", "10.0.0.0/8,x", "10.0.0.1/8", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused(database: str, networks: str) -> None:
    code, line = refused(settings(database, free_port(), API_PRESIGNED_ALLOWED_NETWORKS=networks))
    assert code == 2 and "API_PRESIGNED_ALLOWED_NETWORKS is malformed" in line


def test_a_host_that_is_none_is_one_line(database: str) -> None:
    code, line = refused(settings(database, free_port(), BACKEND_HOST="no-such-host.invalid"))
    assert code == 1 and "no-such-host.invalid" in line and "BACKEND_HOST" in line


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code, line = refused(settings(f"sqlite:///{tmp_path / 'folder'}", free_port()))
    assert code == 1 and "database does not answer" in line and "DATABASE_URL" in line


def test_a_database_of_a_newer_version_is_one_line(tmp_path: Path, database: str) -> None:
    upgrade(database)
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    code, line = refused(settings(database, free_port()))
    assert code == 1 and "9999" in line and "newer" in line


def test_a_database_that_stays_away_ends_the_wait() -> None:
    began = time.monotonic()
    with pytest.raises(DependencyError, match=r"does not answer: .*DATABASE_URL") as caught:
        prepare_database(f"postgresql://u:secret@127.0.0.1:{free_port()}/d", seconds=1.0)
    assert 1.0 <= time.monotonic() - began < 40
    assert "\n" not in caught.value.message and "secret" not in caught.value.message


@contextmanager
def running(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        process = subprocess.Popen(BACKEND, env=environment, stderr=stream)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)


def test_a_database_that_comes_later_is_waited_for(postgres_url: str, tmp_path: Path) -> None:
    name, port, log = f"docfleet_test_{uuid.uuid4().hex[:12]}", free_port(), tmp_path / "log"
    admin = sa.create_engine(normalise_url(postgres_url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    url = admin.url.set(database=name).render_as_string(hide_password=False)

    def until(done: str) -> None:
        end = time.monotonic() + 90
        while done not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)

    try:
        with running(settings(url, port, LOG_FORMAT="json"), log) as process:
            until("backend.database_awaited")
            with admin.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
            until("database.upgraded")
            end = time.monotonic() + 90
            while not answers(port):
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def docfleet(tmp_path: Path) -> Iterator[Call]:
    port = free_port()
    environment = settings(f"sqlite:///{tmp_path / 'docfleet.db'}", port)
    where = {**environment, "DOCFLEET_URL": f"http://127.0.0.1:{port}"}
    where["DOCFLEET_KEY"] = environment["INTERNAL_SERVICE_API_KEY"]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", *arguments]
        return subprocess.run(command, env=where, capture_output=True, text=True, timeout=60, check=False)

    with running(environment, tmp_path / "log") as process:
        end = time.monotonic() + 90
        while not answers(port):
            assert process.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield call


def test_the_first_organization_is_made_with_the_command_that_the_error_names(docfleet: Call) -> None:
    refused = docfleet("executions", "list")
    assert refused.returncode == 1
    assert "no organization 'default'" in refused.stderr and "`docfleet organizations create ID`" in refused.stderr
    assert "organizations create default" in docfleet("organizations", "list").stdout
    made = docfleet("organizations", "create", "default", "--name", "Our house")
    assert (made.returncode, made.stdout) == (0, "created default\n"), made.stderr
    assert docfleet("executions", "list").returncode == 0
    assert docfleet("organizations", "create", "default").stdout == "default is there already\n"
    (row,) = json.loads(docfleet("organizations", "list", "--json").stdout)
    assert (row["organization_id"], row["name"]) == ("default", "Our house")
    assert docfleet("organizations", "create", "default", "--name", "Other").stdout == "renamed default\n"
    name = f"o-{uuid.uuid4().hex[:8]}"
    docfleet("organizations", "create", name)
    assert docfleet("organizations", "list").stdout.split() == ["default", "Other", name, name]
    wrong = docfleet("organizations", "create", "../evil")
    assert wrong.returncode == 1 and "not an organization id" in wrong.stderr
