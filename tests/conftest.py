"""Servers for the tests that need them: PostgreSQL and RabbitMQ.

Each is taken from the environment (``DOCFLEET_TEST_POSTGRES_URL``, ``DOCFLEET_TEST_RABBITMQ_URL``) or, where the
programs are installed, started on a free port of the loopback in a temporary folder, at most once a session and only
when a test asks. Where there is neither, the test is skipped with the reason; with ``REQUIRE_SERVICES=1`` it fails.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest

POSTGRES_URL = "DOCFLEET_TEST_POSTGRES_URL"
RABBITMQ_URL = "DOCFLEET_TEST_RABBITMQ_URL"
START_SECONDS = 60.0
# How fast a shared machine makes examples says nothing about the code.
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")
_PR_SET_PDEATHSIG = 1
_servers = ExitStack()
_missing: dict[str, str] = {}


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a server on which the user may create databases."""
    return server(POSTGRES_URL)


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """``amqp://USER:PASSWORD@HOST:PORT/VHOST`` of a broker; each test uses queues of its own names or vhost."""
    return server(RABBITMQ_URL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start PostgreSQL for a test that takes its URL from the environment: one with a ``postgresql`` parameter."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "postgresql" in callspec.params.values():
        server(POSTGRES_URL)


def pytest_unconfigure() -> None:
    """End what was started."""
    _servers.close()


def server(variable: str) -> str:
    """The URL of a server, started when it is not given; skips or fails the test where there is none."""
    if url := os.environ.get(variable):
        return url
    if variable not in _missing:
        start = {POSTGRES_URL: postgres, RABBITMQ_URL: rabbitmq}[variable]
        try:
            # Kept in the environment: tests and the processes they start find it where a user would set it.
            os.environ[variable] = _servers.enter_context(start())
            return os.environ[variable]
        except NotInstalled as error:
            _missing[variable] = f"{error}; install it or set {variable}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{_missing[variable]} (REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(_missing[variable])


class NotInstalled(Exception):
    """The programs of a server are not on this machine."""


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise NotInstalled("no PostgreSQL: there is no initdb in /usr/lib/postgresql or on PATH")
    programs = found[-1].parent if found else Path(on_path or "").parent
    with _folder("postgres") as folder:
        user = _unprivileged("postgres")
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        password = secrets.token_hex(16)
        (folder / "password").write_text(password)
        (folder / "password").chmod(0o644 if user else 0o600)
        data, port = folder / "data", free_port()
        subprocess.run(
            [
                *(programs / "initdb", "-D", data, "-U", "docfleet", "-A", "scram-sha-256"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--pwfile={folder / 'password'}"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_user,
        )
        (folder / "password").unlink()
        settings = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with _running([programs / "postgres", "-D", data, *options], folder, stop=signal.SIGINT, **as_user) as process:
            url = f"postgresql://docfleet:{password}@127.0.0.1:{port}/postgres"
            _wait_until(lambda: psycopg.connect(url, connect_timeout=5).close(), process, folder)
            yield url


@contextmanager
def rabbitmq() -> Iterator[str]:
    """A RabbitMQ node of its own, with an Erlang port mapper of its own: nothing is left behind or shared."""
    program = next(
        (str(path) for path in (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),) if path.exists()),
        shutil.which("rabbitmq-server"),
    )
    mapper = shutil.which("epmd")
    if program is None or mapper is None:
        raise NotInstalled("no RabbitMQ: there is no rabbitmq-server or no epmd")
    with _folder("rabbitmq") as folder:
        port, distribution, mapper_port = free_port(), free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console.level = warning\n")
        (folder / "enabled_plugins").write_text("[].\n")
        environment = {
            **os.environ,
            "HOME": str(folder),  # the Erlang cookie
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"docfleet-{os.getpid()}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        with (
            _running([mapper, "-address", "127.0.0.1", "-port", str(mapper_port)], folder, env=environment) as first,
            _running([program], folder, env=environment) as process,
        ):
            _wait_until(lambda: _connect(mapper_port), first, folder)
            _wait_until(lambda: _connect(port), process, folder)
            yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    # Not below pytest's folder: that one is closed to the user a server runs as.
    folder = Path(tempfile.mkdtemp(prefix=f"docfleet-test-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    command: list[str | Path],
    folder: Path,
    *,
    stop: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    **options: object,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that ends with the block, and with this process even when that is killed."""
    with (folder / "output.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=_end_with_parent(stop),
            **options,  # type: ignore[call-overload]
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _end_with_parent(stop: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, int(stop))


def _wait_until(answers: Callable[[], object], process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            answers()
            return
        except (OSError, psycopg.OperationalError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "output.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the server does not answer ({error}):\n{log}") from None
            time.sleep(0.05)


def _connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1.0).close()


def _unprivileged(preferred: str) -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NotInstalled("no PostgreSQL: it refuses to run as root, and there is no user nobody")


def free_port() -> int:
    """A TCP port of the loopback nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
