"""The backend answers 500, not at all, late, or resets; it does what was requested, and the answer is lost.

Workers reach it through a proxy. Each call may be repeated: what was done once is not done twice, and a call that is
repeated is so a bounded number of times.
"""

from __future__ import annotations

import pytest

from tests.acceptance.fleet import Stage
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS, FaultRun
from tests.faults.proxy import Proxy
from tests.faults.world import BATCHES, World
from tests.waiting import until

PROXIED = True
TIMEOUT_SECONDS = 2.0
SETTINGS = {"INTERNAL_API_TIMEOUT": str(TIMEOUT_SECONDS)}
ATTEMPTS = 12
"""INTERNAL_API_RETRY_ATTEMPTS, its default."""
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
EXECUTION = "v1/workflow-execution/"
CALLS = ("/register/", "/claim/", "/report/")
TROUBLE_SECONDS = 10.0


def proxy_of(world: World) -> Proxy:
    assert world.proxy is not None
    return world.proxy


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        ("error", 0.0),
        ("hang", 0.0),
        ("reset", 0.0),
        ("slow", TIMEOUT_SECONDS / 4),
        pytest.param("slow", TIMEOUT_SECONDS * 1.5, id="late"),
    ],
)
def test_the_backend_is_in_trouble(world: World, action: str, seconds: float) -> None:
    """For longer than a lease, while files are in work; a call is repeated so often and no oftener."""
    proxy = proxy_of(world)
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    proxy.requests.clear()
    proxy.disturb(EXECUTION, action, lasts=TROUBLE_SECONDS, seconds=seconds)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"}, wait=TROUBLE_SECONDS + DEADLINE_SECONDS + PATIENCE_SECONDS)
    most = 2 * BATCHES * ATTEMPTS
    assert max(proxy.requests.values()) <= most, f"a storm of requests: {proxy.requests}"


@pytest.mark.parametrize("action", ["error", "hang"])
def test_no_execution_is_dropped_while_the_breaker_is_open(world: World, action: str) -> None:
    """Six executions begin and would end while nobody answers: each of them waits."""
    proxy_of(world).disturb(EXECUTION, action, lasts=TROUBLE_SECONDS)
    runs = [world.begin({f"{number}.txt": f"document {number}" for number in range(3)}) for _ in range(6)]
    for run in runs:
        run.check(dict.fromkeys(("0.txt", "1.txt", "2.txt"), "COMPLETED"), wait=150)


@pytest.mark.parametrize("action", ["error", "reset"])
@pytest.mark.parametrize("call", CALLS)
def test_one_call_fails_for_long(world: World, call: str, action: str) -> None:
    """Longer than its caller tries: the sweep has to have it done again."""
    trouble = proxy_of(world).disturb(call, action, lasts=4 * TIMEOUT_SECONDS + 4)
    run = world.begin(FILES)
    run.check(COMPLETED, wait=TROUBLE_SECONDS + DEADLINE_SECONDS + PATIENCE_SECONDS)
    assert trouble.met


def test_leases_cannot_be_renewed(world: World) -> None:
    """The file is handed to another one, and whoever held it does not deliver it."""
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    proxy_of(world).disturb("/renew/", "error", lasts=25.0)
    stage.await_starts(2)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"}, wait=25 + DEADLINE_SECONDS + PATIENCE_SECONDS)


# The answer is lost


@pytest.mark.parametrize("destination", ["sqlite", "api"])
@pytest.mark.parametrize("action", ["lose", "tear"])
@pytest.mark.parametrize("call", [*CALLS, "/finalize/"])
def test_the_answer_is_lost(world: World, call: str, action: str, destination: str) -> None:
    """The repeated call gets the same answer: no lease has to run out, and no file is begun a second time."""
    trouble = proxy_of(world).disturb(call, action, times=3)
    run = world.begin(FILES, destination=destination)
    run.check(COMPLETED)
    assert trouble.met or call == "/finalize/"
    assert attempts(run) == {1}


@pytest.mark.short
def test_every_answer_is_lost_several_times(world: World) -> None:
    """Of each call that this small execution makes."""
    with world.patient():
        troubles = [proxy_of(world).disturb(call, "lose", times=4) for call in (*CALLS, "/renew/", "/finalize/")]
        run = world.begin(FILES)
        run.check(COMPLETED)
    assert sum(trouble.met for trouble in troubles) >= 8
    assert attempts(run) == {1}


@pytest.mark.parametrize("action", ["lose", "tear", "error"])
def test_a_report_about_a_dead_child_is_counted_once(world: World, action: str) -> None:
    """The file that kills its process has as many attempts as ever, and no other file pays for it."""
    trouble = proxy_of(world).disturb("lost-process", action, times=3 if action == "error" else None)
    world.arm("tool.before(poison.txt)=kill")
    run = world.begin({**FILES, "poison.txt": "poison"})
    run.check({**COMPLETED, "poison.txt": "ERROR"}, wait=14 * DEADLINE_SECONDS)
    assert trouble.met
    assert {row["strikes"] for row in run.files() if row["file_name"] != "poison.txt"} == {0}
    if action != "error":
        assert run.file("poison.txt")["strikes"] == len(world.met("tool.before")) == 3


def test_the_answer_to_a_sweep_is_lost(world: World) -> None:
    trouble = proxy_of(world).disturb("/sweep/", "lose", times=4)
    world.arm("batch.claimed=kill_group@1")
    run = world.begin(FILES)
    world.await_met("batch.claimed")
    run.check(COMPLETED)
    assert trouble.met


def test_the_end_of_an_empty_execution_is_heard_once(world: World) -> None:
    """Here finalizing is the orchestrator's own call."""
    trouble = proxy_of(world).disturb("/finalize/", "lose", times=3)
    run = world.begin({}).wait()
    until(lambda: trouble.met == 3, what="the call was not repeated")
    assert run.execution()["status"] == "COMPLETED"
    with world.database.connect() as connection:
        counted = connection.exec_driver_sql(
            f"SELECT run_count FROM pipelines WHERE pipeline_name = '{run.pipeline}'"
        ).scalar()
    assert counted == 1


def attempts(run: FaultRun) -> set[int]:
    return {row["attempt"] for row in run.files()}
