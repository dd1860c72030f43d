"""One execution under faults, and the invariants it has to keep, read from rows and from the destination."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from docfleet.core.status import ExecutionStatus
from tests.acceptance.fleet import SETTINGS
from tests.acceptance.published import BETTER, Published
from tests.waiting import until

if TYPE_CHECKING:
    from tests.faults.world import World

TABLE = "results"
MOVED = "changed after its end"
"""What ``check_again`` says; ``mutations`` looks for it."""
DEADLINE_SECONDS = (
    float(SETTINGS["LEASE_SECONDS"])
    + 2 * float(SETTINGS["SWEEP_INTERVAL_SECONDS"])
    + float(SETTINGS["DISPATCH_DEADLINE_SECONDS"])
)
"""Within this an execution whose fault is over goes on; then comes the work that remains."""
PATIENCE_SECONDS = 120.0
"""For the remaining work, restarts of processes, and a slow machine."""


class FaultRun:
    """An execution of a ``World``."""

    def __init__(
        self,
        world: World,
        execution_id: str,
        destination: str,
        *,
        source: Path | None = None,
        pipeline: str | None = None,
        api: Published | None = None,
    ) -> None:
        self.world = world
        self.id = execution_id
        self.destination = destination
        self.source = source
        self.pipeline = pipeline
        self.api = api
        self.ended: tuple[Any, ...] | None = None

    # What is there

    def execution(self) -> dict[str, Any]:
        """Its row."""
        return self._rows("SELECT * FROM executions WHERE id = :id")[0]

    def files(self) -> list[dict[str, Any]]:
        """The rows of its files, by number."""
        return self._rows("SELECT * FROM file_executions WHERE execution_id = :id ORDER BY file_number")

    def file(self, name: str) -> dict[str, Any]:
        """The row of the file of this name."""
        (found,) = [row for row in self.files() if row["file_name"] == name]
        return found

    def statuses(self) -> dict[str, str]:
        """By name."""
        return {row["file_name"]: row["status"] for row in self.files()}

    def delivered(self) -> Counter[str]:
        """How often each file's result is at the destination, by name."""
        match self.destination:
            case "sqlite" | "postgres" | "mariadb":
                return Counter(Path(path).name for path, status in self._destination_rows() if status == "SUCCESS")
            case "files":
                assert self.source is not None
                found = [path.name for path in self.source.with_suffix(".out").rglob("*") if path.is_file()]
                return Counter(f"{name.rpartition('-')[0]}.txt" for name in found)
            case _:
                query = (
                    "SELECT file_name FROM file_results JOIN file_executions ON id = file_execution_id "
                    "WHERE file_results.execution_id = :id AND status = 'COMPLETED'"
                )
                return Counter(row["file_name"] for row in self._rows(query))

    def error_rows(self) -> Counter[str]:
        """How often each file has an error row at the destination, by name."""
        if self.destination not in ("sqlite", "postgres", "mariadb"):
            return Counter()
        return Counter(Path(path).name for path, status in self._destination_rows() if status == "ERROR")

    def is_final(self) -> bool:
        """By its row."""
        return ExecutionStatus(self.execution()["status"]).is_final

    def _destination_rows(self) -> list[tuple[str, str]]:
        assert self.source is not None
        if self.destination == "sqlite":
            path = self.source.with_suffix(".db")
            if not path.exists():
                return []
            with closing(sqlite3.connect(path)) as database:
                if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone():
                    return []
                query = f"SELECT file_path, status FROM {TABLE} WHERE execution_id = ?"
                return list(database.execute(query, (self.id,)))
        table = f"{TABLE}_{self.source.name}"
        if self.destination == "mariadb":
            if not self._in_mariadb(f"SHOW TABLES LIKE '{table}'"):
                return []
            found = self._in_mariadb(f"SELECT file_path, status FROM {table} WHERE execution_id = '{self.id}'")
            return [(str(path), str(status)) for path, status in found]
        with psycopg.connect(self.world.postgres.url) as database:
            if database.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                return []
            return list(database.execute(f"SELECT file_path, status FROM {table} WHERE execution_id = %s", (self.id,)))

    def _in_mariadb(self, query: str) -> list[tuple[Any, ...]]:
        engine = sa.create_engine(sa.make_url(self.world.mariadb.url).set(drivername="mysql+pymysql"))
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(sa.text(query))]
        engine.dispose()
        return found

    def _rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self.world.database.connect() as connection:
            found = connection.execute(sa.text(query), {"id": self.id, **values})
            return [dict(row._mapping) for row in found]

    def fingerprint(self) -> list[Any]:
        """The destination to the last bit, with the times of its files."""
        assert self.source is not None
        if self.destination == "files":
            found = [path for path in self.source.with_suffix(".out").rglob("*") if path.is_file()]
            return sorted((path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in found)
        return sorted(repr(row) for row in self.all_columns())

    def all_columns(self) -> list[tuple[Any, ...]]:
        """The destination's table; with ``xmin`` in PostgreSQL, which changes with each write."""
        assert self.source is not None
        if self.destination == "sqlite":
            with closing(sqlite3.connect(self.source.with_suffix(".db"))) as database:
                return list(database.execute(f"SELECT * FROM {TABLE}"))
        if self.destination == "mariadb":
            return self._in_mariadb(f"SELECT * FROM {TABLE}_{self.source.name}")
        with psycopg.connect(self.world.postgres.url) as connection:
            query = f"SELECT xmin, t.* FROM {TABLE}_{self.source.name} t"
            return list(connection.execute(query))  # type: ignore[call-overload]

    # What has to be so

    def wait(self, seconds: float = DEADLINE_SECONDS + PATIENCE_SECONDS) -> FaultRun:
        """It ends within ``seconds`` from now."""
        started = time.monotonic()
        until(self.is_final, seconds, what=f"execution {self.id} did not end: {self.statuses()}")
        print(f"execution {self.id} ended after {time.monotonic() - started:.1f} s")
        return self

    def check(
        self, expected: dict[str, str], *, wait: float = DEADLINE_SECONDS + PATIENCE_SECONDS, has_usage: bool = True
    ) -> FaultRun:
        """All invariants. ``expected`` is each file's status by name: files are named differently here. ``has_usage``:
        its tool says what a file costs.

        It ends; the counts are those of the rows; each file is at its destination as often as its status says; it was
        finalized once; nothing is open and nothing moves later; nothing is left behind.
        """
        self.wait(wait)
        files = self.files()
        statuses = {row["file_name"]: row["status"] for row in files}
        assert statuses == expected, {row["file_name"]: row["error"] for row in files if row["error"]}
        assert len(files) == len(expected), "a file was registered twice"
        self._check_counts(files)
        done = {name for name, status in expected.items() if status == "COMPLETED"}
        assert self.delivered() == Counter(done), "each completed file has to be at its destination once"
        errors = self.error_rows()
        failed = {name for name, status in expected.items() if status == "ERROR"}
        assert set(errors) <= failed and set(errors.values()) <= {1}, f"error rows {errors}"
        self._check_finalized_once(files, has_usage)
        self._check_nothing_is_left()
        self._check_verify(len(done), len(errors))
        self.ended = self._fixed()
        return self

    def check_again(self) -> None:
        """What was final is as it was, and the destination too."""
        if self.ended is not None:
            assert self._fixed() == self.ended, f"execution {self.id} {MOVED}"

    def _fixed(self) -> tuple[Any, ...]:
        row = self.execution()
        counters = {key: row[key] for key in ("status", "successful_files", "failed_files", "stopped_files")}
        return counters, row["finished_at"], self.statuses(), self.delivered(), self.error_rows()

    def _check_counts(self, files: list[dict[str, Any]]) -> None:
        row, counted = self.execution(), Counter(file["status"] for file in files)
        said = {
            "COMPLETED": row["successful_files"],
            "ERROR": row["failed_files"],
            "STOPPED": row["stopped_files"],
        }
        assert +Counter(said) == counted, f"the execution says {said}, its rows {counted}"
        assert row["total_files"] == len(files), "not every file was counted"
        best = "ERROR" if not counted["COMPLETED"] else "COMPLETED"
        assert row["status"] == ("STOPPED" if counted["STOPPED"] else best)

    def _check_finalized_once(self, files: list[dict[str, Any]], has_usage: bool) -> None:
        if self.pipeline is not None:
            runs = self._rows("SELECT run_count FROM pipelines WHERE pipeline_name = :name", name=self.pipeline)
            assert runs == [{"run_count": 1}], f"the pipeline counts {runs}"
        used = Counter(
            row["run_id"]
            for row in self._rows(
                "SELECT run_id FROM usage JOIN file_executions f ON f.id = run_id WHERE f.execution_id = :id"
            )
        )
        done = {row["id"] for row in files if row["status"] == "COMPLETED"} if has_usage else set()
        # One that failed after its tools has what they cost.
        doubled = {run_id for run_id, number in used.items() if number != 1}
        assert not doubled and done <= set(used), (
            f"each completed file has to have one usage record: {doubled} have more, {done - set(used)} have none"
        )

    def _check_nothing_is_left(self) -> None:
        now = time.time()
        held = [row["file_name"] for row in self.files() if row["owner"] and row["lease_until"] > now + 1]
        assert not held, f"leases of {held} still run"
        storage = self.world.data / "storage"
        until(
            lambda: not [path for path in storage.rglob(f"*/{self.id}/*") if path.name != "uploads"],
            DEADLINE_SECONDS + 30,
            what=f"working files of {self.id} were left behind",
        )
        # A retry needs what did not succeed, for a time.
        kept = {row["file_hash"] for row in self.files() if row["status"] != "COMPLETED"}
        until(
            lambda: {path.name for path in storage.glob(f"*/*/{self.id}/uploads/*")} <= kept,
            DEADLINE_SECONDS + 30,
            what=f"uploads of {self.id} were left behind",
        )

    def _check_verify(self, delivered: int, error_rows: int) -> None:
        """``docfleet verify`` reads the destination again, and has nothing to say."""
        addresses = self.world.addresses
        address = ("--url", addresses.backend_url, "--key", addresses.key)
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", "verify", self.id, "--json", *address]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode == 0, f"not clean: {answer.stdout}{answer.stderr}"
        found = json.loads(answer.stdout)
        assert (found["delivered_once"], found["not_compared"]) == (delivered, 0), found
        assert found["error_rows"] == error_rows or self.destination == "api", found

    def poll(self) -> Any:
        """What the API answers about it."""
        assert self.api is not None
        return self.api.poll(self.id, BETTER)
