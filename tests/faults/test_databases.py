"""Late status writes; PostgreSQL closes connections, or is gone for a while; no space is left.

On the ``redis`` leg the rows are in SQLite, and PostgreSQL is a destination only.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa

from docfleet.core.status import ExecutionStatus
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS
from tests.faults.world import World
from tests.waiting import until

SETTINGS = {"MAX_MACHINE_TROUBLES": "2"}
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
FINAL = [status.value for status in ExecutionStatus if status.is_final]


# Late status writes

RACES = 1000
WRITERS = 4
STATUSES = ("PENDING", "EXECUTING", "EXECUTING", "COMPLETED", "ERROR", "STOPPED")


@pytest.mark.short
@pytest.mark.timeout(600)
def test_writers_of_one_status_race(world: World, rng: random.Random) -> None:
    """Four writers set random statuses of the same thousand executions and their files at once. The database itself
    notes each change: none leaves a final status, and exactly one writer is told that it ended each."""
    pairs = make_executions(world, RACES)
    note_changes(world)
    seeds = [rng.randrange(2**32) for _ in range(WRITERS)]
    answers: list[dict[str, list[Any]]] = [{} for _ in seeds]
    threads = [
        threading.Thread(target=write_statuses, args=(world, pairs, random.Random(seed), kept))
        for seed, kept in zip(seeds, answers, strict=True)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(400)
    print(f"{sum(len(kept) for kept in answers)} writes in {time.monotonic() - started:.0f} s")
    assert not any(thread.is_alive() for thread in threads)
    codes = Counter(code for kept in answers for told in kept.values() for _, code, _ in told)
    assert set(codes) <= {200, 400, 422}, codes
    changes = noted_changes(world)
    left = [change for change in changes if change[1] in FINAL and change[2] != change[1]]
    assert not left, f"a final status was left: {left[:5]}"
    assert not [change for change in changes if change[2] == "PENDING" != change[1]], "something went back to PENDING"
    ended = Counter(change[0] for change in changes if change[2] in FINAL and change[1] not in FINAL)
    assert set(ended.values()) <= {1}
    assert len(ended) > RACES, "hardly anything ended: the race was none"
    final = dict(statuses_now(world))
    for execution_id, _ in pairs:
        told = [body for kept in answers for _, _, body in kept.get(execution_id, ())]
        enders = [body for body in told if body.get("status") == "updated" and body.get("new_status") in FINAL]
        # A file's last write may have ended it: then nobody was told so.
        assert len(enders) <= 1, f"two writers were told that they ended {execution_id}: {enders}"
        assert all(body["new_status"] == final[execution_id] for body in enders)


def make_executions(world: World, number: int) -> list[tuple[str, str]]:
    """Ids of EXECUTING executions, each with one EXECUTING file of its id: copies of one that ran."""
    run = world.run({"a.txt": "the pattern"})
    (execution,), (file,) = [run.execution()], run.files()
    tables = sa.MetaData()
    tables.reflect(world.database, only=["executions", "file_executions"])
    pairs = [(str(uuid.uuid4()), str(uuid.uuid4())) for _ in range(number)]
    now = time.time()
    copied = {"status": "EXECUTING", "created_at": now, "progress_at": now + 3600, "dispatched_at": now}
    copied |= {"pipeline_id": None, "finished_at": None}
    held = {"status": "EXECUTING", "owner": "nobody/1", "lease_until": now + 3600, "attempt": 1, "finished_at": None}
    insert_into, insert_file = tables.tables["executions"].insert(), tables.tables["file_executions"].insert()
    with world.database.begin() as connection:
        connection.execute(insert_into, [{**execution, **copied, "id": one} for one, _ in pairs])
        connection.execute(insert_file, [{**file, **held, "id": two, "execution_id": one} for one, two in pairs])
    return pairs


def note_changes(world: World) -> None:
    """From now on the database notes each status that is written over another."""
    with world.database.begin() as connection:
        connection.execute(sa.text("CREATE TABLE noted (id TEXT, before TEXT, after TEXT)"))
        if world.leg == "redis":
            for table in ("executions", "file_executions"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER note_{table} AFTER UPDATE OF status ON {table} "
                    "BEGIN INSERT INTO noted VALUES (OLD.id, OLD.status, NEW.status); END"
                )
            return
        connection.exec_driver_sql(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO noted VALUES (OLD.id, OLD.status, NEW.status); RETURN NEW; END $$"
        )
        for table in ("executions", "file_executions"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER note_{table} AFTER UPDATE OF status ON {table} FOR EACH ROW EXECUTE FUNCTION note()"
            )


def noted_changes(world: World) -> list[tuple[str, str, str]]:
    """And no longer."""
    with world.database.begin() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql("SELECT id, before, after FROM noted")]
        for table in ("executions", "file_executions"):
            connection.exec_driver_sql(f"DROP TRIGGER note_{table}" + (f" ON {table}" if world.leg != "redis" else ""))
        if world.leg != "redis":
            connection.exec_driver_sql("DROP FUNCTION note")
        connection.exec_driver_sql("DROP TABLE noted")
    return found  # type: ignore[return-value]


def statuses_now(world: World) -> Iterator[tuple[str, str]]:
    with world.database.connect() as connection:
        yield from map(tuple, connection.exec_driver_sql("SELECT id, status FROM executions"))  # type: ignore[arg-type]


def write_statuses(
    world: World, pairs: list[tuple[str, str]], rng: random.Random, answers: dict[str, list[Any]]
) -> None:
    """One writer: over the executions in order, on one connection; what it was told, by id."""
    connection = http.client.HTTPConnection(urlsplit(world.addresses.backend_url).netloc, timeout=60)
    with closing(connection):
        for execution_id, file_id in pairs:
            write_one(world, connection, execution_id, file_id, rng, answers)


def write_one(
    world: World,
    connection: http.client.HTTPConnection,
    execution_id: str,
    file_id: str,
    rng: random.Random,
    answers: dict[str, list[Any]],
) -> None:
    write = rng.choice(("execution", "execution", "file", "report", "finalize"))
    base = f"/internal/v1/workflow-execution/{execution_id}"
    body: dict[str, Any] = {}
    match write:
        case "execution":
            path, body = f"{base}/update_status/", {"status": rng.choice(STATUSES), "error_message": "late"}
            if body["status"] in ("COMPLETED", "ERROR") and rng.random() < 0.5:
                body["cascade_terminal_files"] = True
        case "file":
            path, body = f"/internal/v1/file-execution/{file_id}/status/", {"status": rng.choice(STATUSES)}
        case "report":
            outcome = {"file_execution_id": file_id, "attempt": rng.choice((1, 1, 2)), "status": "COMPLETED"}
            path, body = f"{base}/files/report/", {"owner": "nobody/1", "lease_seconds": 60, "outcomes": [outcome]}
        case _:
            path = f"{base}/finalize/"
    told = post(connection, world, path, body)
    answers.setdefault(execution_id if write == "execution" else file_id, []).append((write, *told))


def post(connection: http.client.HTTPConnection, world: World, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    headers = {
        "Authorization": f"Bearer {world.addresses.key}",
        "Content-Type": "application/json",
        "X-Organization-ID": world.client.organization_id,
    }
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    found = json.loads(content) if content else {}
    return answer.status, found if isinstance(found, dict) else {}


# PostgreSQL closes connections

REAPED = 10


@pytest.mark.parametrize("states", [pytest.param("idle", marks=pytest.mark.short), "any"])
def test_postgresql_reaps_connections(world: World, states: str) -> None:
    """Of the backend, of the results and of the destination, between two operations or within one: no file notices."""
    world.arm("delivery.before=sleep:0.6")
    files = {f"{number:02}.txt": f"document {number}" for number in range(24)}
    with world.patient():
        run = world.begin(files, destination="postgres")
        until(run.delivered, what="nothing was delivered")
        ended = reap(world, states)
        print(f"{ended} connections were ended")
        assert ended > 3, "nobody had a connection to lose"
        run.check(dict.fromkeys(files, "COMPLETED"))
    assert {row["attempt"] for row in run.files()} == {1}, "a file was tried again because a connection was lost"


def reap(world: World, states: str) -> int:
    """End the connections of others to this server, again and again; how many."""
    which = "state = 'idle'" if states == "idle" else "backend_type = 'client backend'"
    query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {which}"
    ended = 0
    with psycopg.connect(world.postgres.url, autocommit=True) as database:
        for _ in range(REAPED):
            time.sleep(0.7)
            ended += len(database.execute(query).fetchall())  # type: ignore[call-overload]
    return ended


# PostgreSQL is gone

EXECUTIONS = 20
AWAY_SECONDS = 8


@pytest.mark.timeout(600)
def test_postgresql_is_gone_while_twenty_executions_run(world: World) -> None:
    """At once, for longer than a lease, and with all that is in flight: rows, results, deliveries."""
    world.arm("delivery.before=sleep:0.2")
    files = {f"{number}.txt": f"document {number}" for number in range(4)}
    runs = [world.begin(files, destination="postgres") for _ in range(EXECUTIONS)]
    until(lambda: sum(sum(run.delivered().values()) for run in runs) >= 4, what="nothing was delivered")
    open_runs = [run for run in runs if not run.is_final()]
    assert len(open_runs) > EXECUTIONS / 2, "they were over before it was gone"
    world.postgres.process.terminate(signal.SIGQUIT, 30)  # its immediate mode
    time.sleep(AWAY_SECONDS)
    world.postgres.start()
    world.disarm()
    for run in runs:
        run.check(dict.fromkeys(files, "COMPLETED"), wait=DEADLINE_SECONDS + 3 * PATIENCE_SECONDS)


# No space is left


@contextmanager
def little_space(folder: Path, size: str) -> Iterator[None]:
    """A file system of this size over the folder; what was in it is back afterwards."""
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this process may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


TOO_LARGE = "x" * 3 * 1024**2


@pytest.mark.short
def test_no_space_to_work_in(world: World) -> None:
    """The file that does not fit fails with the cause; what fits is done, what was written is removed."""
    storage = world.data / "storage"
    with little_space(storage, "2M"):
        run = world.begin({**FILES, "large.txt": TOO_LARGE})
        run.check({**COMPLETED, "large.txt": "ERROR"})
        error = run.file("large.txt")["error"]
        assert "no space to work in: the file has 3.0 MB" in error, error
        used = sum(path.stat().st_size for path in storage.rglob("*") if path.is_file())
        assert used < 512 * 1024, "what did not fit is still there"
    world.begin(FILES).check(COMPLETED)


def test_no_space_at_the_destination(world: World) -> None:
    name = f"w{uuid.uuid4().hex[:12]}"
    out = world.folder / "sources" / f"{name}.out"
    out.mkdir(parents=True)
    with little_space(out, "2M"):
        run = world.begin({**FILES, "large.txt": TOO_LARGE}, destination="files", name=name)
        run.check({**COMPLETED, "large.txt": "ERROR"}, wait=DEADLINE_SECONDS + 2 * PATIENCE_SECONDS)
        error = run.file("large.txt")["error"]
        assert "space" in error, error
        run.ended = None  # what was delivered goes with the file system
    world.begin(FILES, destination="files").check(COMPLETED)
