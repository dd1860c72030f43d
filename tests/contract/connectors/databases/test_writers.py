"""One contract, every database connector: many writers, and writers that are late or killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

import pytest

from docfleet.connectors.base import ColumnMode, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.connectors.registry import open_database
from docfleet.core.errors import Fenced
from tests.contract.connectors.databases.servers import Settings, execute, row

SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)
THEIRS = "CREATE TABLE theirs (execution_id TEXT, file_execution_id TEXT, n BIGINT)"
THEIR_TABLE = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)


@pytest.mark.parametrize("keyed", [True, False])
def test_an_attempt_that_wakes_up_late_changes_nothing(keyed: bool, settings: Settings, database: SqlDatabase) -> None:
    target = SPLIT if keyed else THEIR_TABLE
    if not keyed:
        execute(settings, THEIRS)
    database.deliver(target, row({"n": 1}, attempt=2))
    if not keyed:
        execute(settings, "UPDATE theirs SET metadata = NULL")  # the ledger knows the attempt too
    zombie = open_database(*settings)
    for late in (row({"n": 9}, attempt=1), row(None, attempt=1, status="ERROR", error_message="late")):
        with pytest.raises(Fenced, match="later attempt than 1"):
            zombie.deliver(target, late)
    zombie.close()
    assert [(read["n"], read["status"]) for read in database.read_rows(target, 9)] == [(1, "SUCCESS")]
    assert database.deliver(target, row({"n": 2}, attempt=2)).outcome == "replaced"
    assert database.deliver(target, row({"n": 3}, attempt=3)).outcome == "replaced"
    assert [read["n"] for read in database.read_rows(target, 9)] == [3]


def test_a_writer_that_stands_still_and_wakes_up_late(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS)
    pid = os.fork()
    if pid == 0:
        connector = open_database(*settings)
        assert isinstance(connector, SqlDatabase)
        run = connector._run

        def stand_still(*call: Any, **options: Any) -> Any:
            if connector._layouts:
                os.kill(os.getpid(), signal.SIGSTOP)
            return run(*call, **options)

        connector._run = stand_still  # type: ignore[method-assign]
        try:
            connector.deliver(THEIR_TABLE, row({"n": 1}, attempt=1))
        except Fenced:
            os._exit(7)
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    assert execute(settings, "SELECT n FROM theirs") == []
    database.deliver(THEIR_TABLE, row({"n": 2}, attempt=2))
    os.kill(pid, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert execute(settings, "SELECT n FROM theirs") == [(2,)]


def _deliver_one(settings: Settings, start: Any, attempt: int) -> None:
    connector = open_database(*settings)
    start.wait()
    for key in range(6):
        try:
            connector.deliver(THEIR_TABLE, row({"n": attempt}, file=f"f{key}", attempt=attempt))
        except Fenced:
            pass
    connector.close()


def test_many_workers_write_one_row_a_key_where_the_table_has_none(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS)
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=_deliver_one, args=(settings, start, attempt)) for attempt in (1, 2, 3, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert execute(settings, "SELECT n, count(*) FROM theirs GROUP BY n") == [(4, 6)]


def test_a_writer_killed_after_its_commit_and_before_it_could_say_so(settings: Settings, database: SqlDatabase) -> None:
    pid = os.fork()
    if pid == 0:
        open_database(*settings).deliver(SINGLE, row({"n": 1}))
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert [read["data"] for read in database.read_rows(SINGLE, 9)] == [{"n": 1}]
    assert database.deliver(SINGLE, row({"n": 1})).outcome == "replaced"
    assert [read["data"] for read in database.read_rows(SINGLE, 9)] == [{"n": 1}]


def _write_many(settings: Settings, start: Any, number: int) -> None:
    connector = open_database(*settings)
    start.wait()
    for key in range(8):
        # Every process writes the same keys, and columns of its own among shared ones.
        connector.deliver(SPLIT, row({"shared": key, f"c{key}": 1, f"own_{number}": key}, file=f"f{key}"))
    connector.close()


def test_many_processes_make_one_table_and_one_row_a_key(settings: Settings, database: SqlDatabase) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=_write_many, args=(settings, start, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    read = database.read_rows(SPLIT, 99)
    assert [line["shared"] for line in read] == list(range(8))
    assert {f"own_{number}" for number in range(4)} | {f"c{key}" for key in range(8)} <= set(read[0])
