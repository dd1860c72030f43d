"""The fault suite: ``make faults``. Elsewhere (``make test``) only its ``short`` tests run.

One world a leg and module. A test leaves it in any state; before the next one everything is started and disarmed.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import LEGS, World
from tests.servers import require

HERE = Path(__file__).parent
FULL = "DOCFLEET_FAULT_SUITE"
SEED = "DOCFLEET_FAULT_SEED"
_seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**6))
_LOG_LINES = 40


def pytest_report_header() -> str:
    return f"fault suite: {SEED}={_seed}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``DOCFLEET_FAULT_SUITE=full`` only the short selection."""
    ours = [item for item in items if HERE in item.path.parents]
    if os.environ.get(FULL) != "full" and not any("::" in argument for argument in config.args):
        left_out = [item for item in ours if item.get_closest_marker("short") is None]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in ours:
        item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What the processes complained about since the test began goes into its report."""
    report = yield
    world = getattr(item, "funcargs", {}).get("world")
    if isinstance(world, World) and call.when == "call" and report.failed:
        report.sections.append((f"seed {_seed}; logs in {world.data / 'logs'}", _complaints(world)))
    return report


def _complaints(world: World) -> str:
    found = []
    for path in sorted((world.data / "logs").glob("*.log")):
        with path.open("rb") as log:
            log.seek(world.log_begins.get(path.name, 0))
            lines = log.read().decode(errors="replace").splitlines()
        bad = [
            line for line in lines if any(word in line.lower() for word in ("error", "warning", "fault", "traceback"))
        ]
        found += [f"--- {path.name}", *bad[-_LOG_LINES:]]
    return "\n".join(found)


@pytest.fixture(scope="module", params=LEGS)
def shared_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One a leg and module; ``pytestmark``-like module values ``SETTINGS``, ``WORKERS``, ``PROXIED`` go into it."""
    module = request.module
    folder = tmp_path_factory.mktemp(f"world-{request.param}")
    started = time.monotonic()
    values = {name.lower(): getattr(module, name, None) for name in ("SETTINGS", "WORKERS")}
    world = require(lambda: World(request.param, folder, **values, proxied=getattr(module, "PROXIED", False)))
    print(f"world {request.param} started in {time.monotonic() - started:.1f} s")
    try:
        yield world
        world.reset()
        for run in world.runs:
            run.check_again()
    finally:
        world.stop()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The module's world with everything running and nothing armed."""
    shared_world.reset()
    shared_world.log_begins = {path.name: path.stat().st_size for path in (shared_world.data / "logs").glob("*.log")}
    yield shared_world
    shared_world.disarm()


@pytest.fixture(scope="session")
def seed() -> int:
    """The one in the header."""
    return _seed


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Of the seed in the header and the test's name."""
    return random.Random(f"{_seed} {request.node.nodeid}")
