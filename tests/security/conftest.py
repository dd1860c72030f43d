"""Workers of one broker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.core.names import WorkerType
from tests.security.worker import Worker, broker


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def start_worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[WorkerType], Worker]]:
    """Workers of one broker, started on first use."""
    folder = tmp_path_factory.mktemp(f"security-{request.param}")
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, 0o755)
    life = Lifeline()
    found: dict[WorkerType, Worker] = {}
    with broker(request.param, folder, life) as (server, url, results):

        def start(kind: WorkerType) -> Worker:
            if kind not in found:
                own = folder / kind.value
                own.mkdir()
                found[kind] = Worker(kind, server, url, results, own, life)
            elif not found[kind].process.runs:
                found[kind].start()
            return found[kind]

        try:
            yield start
        finally:
            for worker in found.values():
                worker.close()
    life.close()
