"""A runner per module, and one per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.runner.process import Runner


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    running = Runner(tmp_path_factory.mktemp("runner"), RUNNER_CONCURRENCY="3")
    yield running
    running.close()


@pytest.fixture
def own_runner(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    started: list[Runner] = []

    def start(**settings: str) -> Runner:
        started.append(Runner(tmp_path, **settings))
        return started[-1]

    yield start
    for running in started:
        running.close()
