"""A backend in this process, on each database: ``api`` (one per module) and ``fresh_api`` (one per test)."""

from __future__ import annotations

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


@pytest.fixture
def redis_at_socket(redis_socket: Path, redis_client: redis.Redis) -> str:
    return f"unix://{redis_socket}?db=0"
