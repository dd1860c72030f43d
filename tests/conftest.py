"""Servers for the tests that need them: PostgreSQL, RabbitMQ, Valkey, and targets of notifications.

PostgreSQL, MariaDB and RabbitMQ are taken from the environment (``DOCFLEET_TEST_POSTGRES_URL``,
``DOCFLEET_TEST_MARIADB_URL``, ``DOCFLEET_TEST_RABBITMQ_URL``) or, where the
programs are installed, started on a free port of the loopback in a temporary folder, at most once per
session and only when a test requires them. Where there is neither, the test is skipped with the reason; with
``REQUIRE_SERVICES=1`` it fails.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import redis

from docfleet.cli.embedded.supervisor import Lifeline
from tests.notification_targets import Mailbox, Sink
from tests.servers import Mariadb, NotInstalled, Postgres, Rabbitmq, Server, broker_at, skip_or_fail, valkey_socket

HERE = Path(__file__).parent
POSTGRES_URL = "DOCFLEET_TEST_POSTGRES_URL"
MARIADB_URL = "DOCFLEET_TEST_MARIADB_URL"
RABBITMQ_URL = "DOCFLEET_TEST_RABBITMQ_URL"
WAITING_SUITES = {"acceptance", "faults", "security"}
"""Whose files are long and mostly wait: for leases, restarts and servers."""
# How fast a shared machine makes examples says nothing about the code.
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")
_KINDS: dict[str, Callable[[Path, Lifeline], Server]] = {
    POSTGRES_URL: Postgres,
    MARIADB_URL: Mariadb,
    RABBITMQ_URL: Rabbitmq,
}
_started = ExitStack()
_missing: dict[str, str] = {}


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a server on which the user may create databases."""
    return server_url(POSTGRES_URL)


@pytest.fixture(scope="session")
def mariadb_url() -> str:
    """``mysql://USER:PASSWORD@HOST:PORT/DATABASE`` of a server on which the user may create databases."""
    return server_url(MARIADB_URL)


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """``amqp://USER:PASSWORD@HOST:PORT/VHOST`` of a broker; each test uses queues of its own names or vhost."""
    return server_url(RABBITMQ_URL)


@pytest.fixture(scope="module")
def redis_socket() -> Iterator[Path]:
    """The socket of a Valkey of the module's own."""
    with valkey_socket() as socket_path:
        yield socket_path


@pytest.fixture
def redis_client(redis_socket: Path) -> Iterator[redis.Redis]:
    """A client of the Valkey at ``redis_socket``, which holds nothing."""
    with redis.Redis(unix_socket_path=str(redis_socket)) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def redis_broker() -> Iterator[str]:
    """The URL of a broker of the module's own."""
    with valkey_socket() as socket_path:
        yield broker_at(socket_path)


@pytest.fixture(params=["redis", "rabbitmq"])
def each_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of each kind of broker; on Redis one that nobody else uses."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_url")
        return
    with valkey_socket() as socket_path:
        yield broker_at(socket_path)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A web server that notifications go to."""
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that notifications go to."""
    made = Mailbox()
    yield made
    made.shutdown()
    made.server_close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the files, the long ones come first: at the end no process waits for another."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.relative_to(HERE).parts[0] not in WAITING_SUITES)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the database of a test that takes its URL from the environment: one with its name as a parameter."""
    callspec = getattr(item, "callspec", None)
    for name, variable in (("postgresql", POSTGRES_URL), ("mariadb", MARIADB_URL)):
        if callspec is not None and name in callspec.params.values():
            server_url(variable)


def pytest_unconfigure() -> None:
    """End what was started."""
    _started.close()


def server_url(variable: str) -> str:
    """The URL of a server, started when it is not given; skips or fails the test where there is none."""
    if url := os.environ.get(variable):
        return url
    if variable not in _missing:
        try:
            # Kept in the environment: tests and the processes they start find it where a user would set it.
            os.environ[variable] = _start(variable)
            return os.environ[variable]
        except NotInstalled as error:
            _missing[variable] = f"{error}; install it or set {variable}"
    skip_or_fail(_missing[variable])


def _start(variable: str) -> str:
    # Not below pytest's folder, which is closed to the user a server runs as.
    folder = Path(tempfile.mkdtemp(prefix="docfleet-test-"))
    folder.chmod(0o755)
    _started.callback(shutil.rmtree, folder, ignore_errors=True)
    lifeline = Lifeline()
    _started.callback(lifeline.close)
    server = _KINDS[variable](folder / "server", lifeline)
    _started.callback(server.stop)
    server.start()
    return server.url
