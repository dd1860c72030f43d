"""A backend in this process, on each database: ``api`` (empty for each module) and ``fresh_api`` (for each test)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from tests.integration.backend.server import DATABASES, Api, Backends, running


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with closing(Backends(tmp_path_factory.mktemp("backends"))) as started:
        yield started


@pytest.fixture(scope="module", params=DATABASES)
def backend(request: pytest.FixtureRequest, backends: Backends) -> Api:
    return backends.empty(request.param, "module")


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
def fresh_api(request: pytest.FixtureRequest, backends: Backends) -> Api:
    """The only organization of its backend: for what looks at all organizations."""
    return backends.empty(request.param, "test", execution_deadline_seconds=100_000.0)


@pytest.fixture
def redis_at_socket(redis_socket: Path, redis_client: redis.Redis) -> str:
    return f"unix://{redis_socket}?db=0"
