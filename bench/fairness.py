"""Fair shares: a call beside a run that saturates the fleet, ten organizations at once, and the cost of taking turns.

The tool of the runs sleeps, so that the slots are what is scarce, and not the processors of this machine; the details
have a call beside a run of longer files, and beside one that computes, too. The shorter the files, the more often all
slots turn to the backend and the runner in the same moment, and a call waits for them there.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles

from bench.api import Api, Caller, publish
from bench.figures import Figure, Report
from bench.fleet import Fleet, small_files
from docfleet.cli.commands.run import RUN_WORKERS
from docfleet.cli.management import ManagementClient
from docfleet.core.names import WorkerType
from docfleet.core.settings import environment

HERE = Path(__file__).resolve().parent
WORKERS = (*RUN_WORKERS, WorkerType.API_DEPLOYMENT)
SLOTS = 4
ORGANIZATIONS = 10
FILE_SECONDS = 0.2
LONG_FILE_SECONDS = 1.0
ROUNDS = 4
START_SECONDS = 60.0
WARM_SECONDS = 4.0


def measure(*, short: bool) -> Report:
    """Each ratio is of two measurements that alternate in one fleet."""
    calls, seconds = (10, 20.0) if short else (40, 60.0)
    # The tool's module is imported from the folder above.
    path = os.pathsep.join(filter(None, (str(HERE.parent), environment().get("PYTHONPATH"))))
    with Fleet(
        workers=WORKERS,
        FILE_PROCESSING_CONCURRENCY=str(SLOTS),
        RUNNER_CONCURRENCY=str(SLOTS + 1),
        PYTHONPATH=path,
        TOOL_REGISTRY_CONFIG_PATH=str(HERE / "sleeper" / "registry"),
    ) as fleet:
        source = small_files(fleet.folder / "in", int(1.5 * SLOTS * (seconds + WARM_SECONDS) / FILE_SECONDS))
        api = publish(fleet)
        sleeping = _beside(fleet, api, source, calls)
        longer = _beside(fleet, api, source, calls, seconds=LONG_FILE_SECONDS)
        computing = _beside(fleet, api, source, calls, computing=True)
        alone = _served(fleet, source, seconds, organizations=1, name="alone")
        shared = _served(fleet, source, seconds, organizations=ORGANIZATIONS, name="shared")
    report = Report()
    shares = list(shared.values())
    index = sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares)) if any(shares) else 0.0
    lost = 1 - sum(shares) / sum(alone.values())
    report.details += [
        f"calls alone: {_describe(sleeping[0])}; beside a run that sleeps: {_describe(sleeping[1])}",
        f"the same with files of {LONG_FILE_SECONDS:g} s instead of {FILE_SECONDS:g} s: {_describe(longer[0])}; "
        f"{_describe(longer[1])}, p95 x{_p95(longer[1]) / _p95(longer[0]):.2f}",
        f"calls alone: {_describe(computing[0])}; beside a run that computes: {_describe(computing[1])}, "
        f"p95 x{_p95(computing[1]) / _p95(computing[0]):.2f}",
        f"files in {seconds:g} s: one organization {sum(alone.values())}, {ORGANIZATIONS} organizations {shares}",
    ]
    report.figures = [
        Figure(
            "api_beside_run_ratio",
            _p95(sleeping[1]) / _p95(sleeping[0]),
            "x",
            at_most=1.3,
            note=f"p95 of calls beside a run on all {SLOTS} slots against alone",
        ),
        Figure("fairness_jain", index, at_least=0.95, note=f"{ORGANIZATIONS} organizations on {SLOTS} slots"),
        Figure(
            "yield_cost",
            max(0.0, lost),
            at_most=0.02,
            note=f"throughput lost by {ORGANIZATIONS} organizations taking turns against one",
        ),
    ]
    return report


def _beside(
    fleet: Fleet, api: Api, source: Path, calls: int, *, seconds: float = FILE_SECONDS, computing: bool = False
) -> tuple[list[float], list[float]]:
    """Seconds of calls alone, and beside a run of another organization that takes all slots; in turns."""
    alone: list[float] = []
    beside: list[float] = []
    for number in range(ROUNDS):
        alone += _called(api, calls)
        name = f"run-{computing}-{1000 * seconds:.0f}-{number}".lower()
        tenant = Tenant(fleet, name, source, seconds, computing=computing)
        with closing(tenant):
            tenant.wait_for(SLOTS)
            time.sleep(WARM_SECONDS)
            beside += _called(api, calls)
    return alone, beside


def _called(api: Api, calls: int) -> list[float]:
    with Caller(api) as caller:
        return [caller.call() for _ in range(calls)]


def _served(fleet: Fleet, source: Path, seconds: float, *, organizations: int, name: str) -> dict[str, int]:
    """Files that each of several organizations, which all want the whole fleet, completes in ``seconds``."""
    tenants = [Tenant(fleet, f"{name}-{number}", source, FILE_SECONDS) for number in range(organizations)]
    try:
        for tenant in tenants:
            tenant.wait_for(1)
        time.sleep(WARM_SECONDS)
        before = {tenant.name: tenant.done() for tenant in tenants}
        time.sleep(seconds)
        return {tenant.name: tenant.done() - before[tenant.name] for tenant in tenants}
    finally:
        for tenant in tenants:
            tenant.close()


class Tenant:
    """An organization with a run of its own."""

    def __init__(self, fleet: Fleet, name: str, source: Path, seconds: float, *, computing: bool = False) -> None:
        self.name = name
        self._client = ManagementClient(fleet.system.addresses, name)
        self._client.put_organization()
        tools = [{"tool": "sleeper", "settings": {"seconds": seconds, "computing": computing}}]
        workflow = self._client.put_workflow(fleet.document(source, tools))
        self._execution = self._client.create_execution(workflow, use_file_history=False)

    def done(self) -> int:
        """How many files are completed."""
        return self._client.execution(self._execution).counts.get("COMPLETED", 0)

    def wait_for(self, files: int) -> None:
        """Return when so many files are completed. Raises ``RuntimeError``."""
        deadline = time.monotonic() + START_SECONDS
        while self.done() < files:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the run of {self.name} completed fewer than {files} files")
            time.sleep(0.1)

    def close(self) -> None:
        """Stop the run."""
        self._client.stop_execution(self._execution, wait=30)


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def _describe(seconds: list[float]) -> str:
    return f"p50 {1000 * median(seconds):.0f}, p95 {1000 * _p95(seconds):.0f} ms"
