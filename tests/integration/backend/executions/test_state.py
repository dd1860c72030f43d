"""The state machine: whatever order writes come in, statuses only move along the table."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import docfleet.backend
from docfleet.backend.executions import state
from docfleet.core.status import ALLOWED, FINAL, ExecutionStatus

FINAL_STATUSES = {status.value for status in FINAL}
STEPS = st.lists(
    st.sampled_from(
        [
            "register",
            "start",
            "claim",
            "complete",
            "fail",
            "late",
            "release",
            "expire",
            "finalize",
            "finalize_error",
            "finalize_empty",
            "stop",
            "status_executing",
            "status_completed",
            "status_error",
            "status_pending",
            "file_error",
            "sweep",
        ]
    ),
    min_size=1,
    max_size=14,
)


class Driver:
    """Carries out steps and checks after each that no status moved backwards."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.run = api.run(api.workflow(use_file_history=False))
        self.held: list[Any] = []
        self.old: list[Any] = []
        self.page = 0
        self.before: dict[str, str] = {}
        self.check()

    def check(self) -> None:
        now = {"execution": self.run.status} | {file["file_execution_id"]: file["status"] for file in self.run.files()}
        for key, was in self.before.items():
            reached = {status.value for status in _reachable(ExecutionStatus(was))} | {was}
            assert now[key] in reached, (key, was, now[key])
        if now["execution"] in FINAL_STATUSES:
            assert all(status in FINAL_STATUSES for status in now.values()), now
            state = self.run.state()
            assert state["counts"]["COMPLETED"] == state["execution"]["successful_files"]
            assert state["counts"]["ERROR"] == state["execution"]["failed_files"]
            assert state["counts"]["STOPPED"] == state["execution"]["stopped_files"]
        self.before = now

    def step(self, name: str) -> None:
        api, run = self.api, self.run
        match name:
            case "register":
                self.page += 1
                run.register(api.documents(2, f"{self.page}/"), page=self.page)
            case "start":
                run.start(2)
            case "claim":
                self.held += run.claim(limit=2).get("claims", [])
            case "complete" | "fail" if self.held:
                claim = self.held.pop()
                self.old.append(claim)
                run.report([claim], status="COMPLETED" if name == "complete" else "ERROR")
            case "late" if self.old:
                run.report(self.old, status="STOPPED")
            case "release" if self.held:
                claim = self.held.pop()
                self.old.append(claim)
                run.report(release=[{k: claim[k] for k in ("file_execution_id", "attempt")}])
            case "expire":
                run.expire_leases()
            case "finalize":
                run.finalize()
            case "finalize_error":
                run.finalize(error="cause")
            case "finalize_empty":
                run.finalize(empty_reason="no_match")
            case "stop":
                api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
            case "status_executing" | "status_completed" | "status_error" | "status_pending":
                api.post(f"{run.path}/update_status/", {"status": name.removeprefix("status_").upper()})
            case "file_error" if len(self.before) > 1:
                file_id = next(key for key in self.before if key != "execution")
                api.post(f"/internal/v1/file-execution/{file_id}/status/", {"status": "ERROR", "error_message": "x"})
            case "sweep":
                api.post("/internal/v1/sweep/")
        self.check()


def _reachable(status: ExecutionStatus) -> set[ExecutionStatus]:
    found = set(ALLOWED[status])
    for target in ALLOWED[status]:
        found |= _reachable(target)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_statuses_move_along_the_table_only(api: Any, steps: list[str]) -> None:
    driver = Driver(api)
    for step in steps:
        driver.step(step)


@pytest.mark.parametrize("present", list(ExecutionStatus))
@pytest.mark.parametrize("target", list(ExecutionStatus))
def test_every_pair_of_statuses(api: Any, present: ExecutionStatus, target: ExecutionStatus) -> None:
    run = api.run().ready(1)
    allowed = target in ALLOWED[present]
    for table in ("executions", "file_executions"):
        column = "id" if table == "executions" else "execution_id"
        api.write(f"UPDATE {table} SET status = :s WHERE {column} = :e", s=present.value, e=run.id)
    with api.database.writing() as connection:
        assert state.move_execution(connection, run.id, target, error_message="moved") is allowed
        assert state.move_files(connection, run.id, target, error="moved") == int(allowed)
    execution, file = run.state()["execution"], run.files()[0]
    after = target if allowed else present
    assert (execution["status"], file["status"]) == (after.value, after.value)
    assert (execution["error_message"] == "moved", file["error"] == "moved") == (allowed, allowed)


def test_only_the_state_machine_writes_a_status() -> None:
    root = Path(docfleet.backend.__file__).parent
    writers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _sets_a_status(node)
    }
    assert writers == {"executions/state.py"}


def _sets_a_status(call: ast.Call) -> bool:
    """Whether it is the ``values(status=...)`` of an update of the files or the executions."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "values"):
        return False
    source = ast.unparse(call.func)
    updates = "update(files)" in source or "update(executions)" in source
    return updates and any(keyword.arg == "status" for keyword in call.keywords)
