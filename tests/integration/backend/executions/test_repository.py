"""Executions start once; how many statements and bytes their files cost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, select

from docfleet.backend.tables.files import file_executions
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.names import QueueName, TaskName


def test_start_happens_once(api: Any) -> None:
    run = api.run()
    assert run.start() == {"status": "skipped", "total_files": 0, "reason": "no_files"}
    run.register(api.documents(1))
    assert run.start(3) == {"status": "started", "total_files": 1, "batches": 3}
    assert run.start(3) == {"status": "skipped", "total_files": 1, "reason": "already_started"}
    api.post(f"/api/v1/executions/{run.id}/stop")
    assert run.start(3)["reason"] == "already_final"


def _statements(api: Any, action: Any) -> int:
    engine = api.client.app.state["engine"]
    count = 0

    def seen(*_: Any) -> None:
        nonlocal count
        count += 1

    event.listen(engine, "before_cursor_execute", seen)
    try:
        action()
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    return count


def test_fifty_files_cost_a_handful_of_statements(api: Any) -> None:
    run = api.run()
    assert _statements(api, lambda: run.register(api.documents(500))) <= 20
    run.start(1)
    held: list[Any] = []
    assert _statements(api, lambda: held.extend(run.claim(limit=50)["claims"])) <= 7
    assert len(held) == 50
    claim = {"owner": "worker", "lease_seconds": 60, "limit": 50}
    body = [api.outcome(one, pages=1, usage={"total_tokens": 1}) for one in held]
    assert _statements(api, lambda: run.report(outcomes=body, claim=claim)) <= 16


def test_answers_do_not_grow_with_the_number_of_files(api: Any) -> None:
    sizes = []
    for count in (10, 400):
        run = api.run(api.workflow(name=f"size-{count}"))
        found = [len(str(run.register(api.documents(count))))]
        found.append(len(str(run.start(2))))
        held = run.claim(limit=5)["claims"]
        found.append(len(str(run.report(held[:1]))))
        found.append(len(str(api.get(f"{run.path}/"))))
        found.append(len(str(run.state())))
        found.append(len(str(run.finalize())))
        sizes.append(found)
    assert all(abs(small - large) <= 40 for small, large in zip(*sizes, strict=True)), sizes


def test_rows_of_the_context_are_off_by_default_and_bounded(api: Any) -> None:
    run = api.run().ready(120)
    assert "file_executions" not in api.get(f"{run.path}/")
    assert len(api.get(f"{run.path}/?include_cost=true?file_execution=true")["file_executions"]) == 100
    with api.database.reading() as connection:
        assert connection.execute(select(file_executions.c.id).where(file_executions.c.execution_id == run.id)).all()


def test_a_message_that_got_through_without_its_confirmation_is_not_failed(fresh_api: Any) -> None:
    """Workers are at its files, and go on."""
    workflow = fresh_api.workflow()
    held: list[Any] = []

    def send(task: TaskName, args: list[Any], kwargs: Any, queue: QueueName) -> None:
        run = fresh_api.execution(args[2]).ready(2)
        held.extend(run.take(2))
        run.report(held[:1])
        raise BrokerUnavailable("no confirmation in time")

    fresh_api.recorder.send = send
    run = fresh_api.run(workflow)
    assert run.report(held[1:])["written"] == 1
    assert run.status == "COMPLETED"
