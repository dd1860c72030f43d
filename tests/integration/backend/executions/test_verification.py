"""``GET /executions/{id}/verify``: real sinks deliver, somebody damages the destination, the answer names it."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from docfleet.backend.executions import verification
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.execution import DestinationConfig, ExecutionContext
from docfleet.core.files import FileHashData
from docfleet.core.storage import COPY_TO_FOLDER, EVIDENCE, INFILE, METADATA
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery, open_sink


class Run:
    """One execution whose files are delivered by the worker's sinks and reported as a worker reports."""

    def __init__(self, api: Any, folder: Path, execution: Any) -> None:
        self.api = api
        self.folder = folder
        self.execution = execution
        context = msgspec.convert(api.get(execution.path + "/"), ExecutionContext, strict=False)
        self.config: DestinationConfig = context.destination_config
        self.created_at = context.execution.created_at

    def process(self, failing: tuple[str, ...] = ()) -> Run:
        claims = self.execution.take(200)
        outcomes = []
        for claim in claims:
            name = claim["file"]["file_name"]
            delivered = self.deliver(claim, "it broke" if name in failing else None)
            more = {"outputs": delivered.outputs, "digest": delivered.digest, "metadata": delivered.metadata}
            more["file_hash"] = f"hash of {name}"
            if delivered.result is not None:
                more["result"] = msgspec.json.decode(delivered.result)
            outcomes.append(self.api.outcome(claim, "ERROR" if name in failing else "COMPLETED", **more))
        self.api.post(
            f"{self.execution.path}/files/report/", {"owner": "worker", "lease_seconds": 60, "outcomes": outcomes}
        )
        return self

    def deliver(self, claim: Any, error: str | None) -> Delivered:
        folder = self.folder / f"{claim['file_execution_id']}.{claim['attempt']}"
        (folder / COPY_TO_FOLDER).mkdir(parents=True)
        name = claim["file"]["file_name"]
        for page in (1, 2):
            (folder / COPY_TO_FOLDER / f"{page}.txt").write_text(f"page {page} of {name}")
        result = {"name": name, "total": 12.50, "items": [1, 2.0, None], "big": 1e22}
        (folder / INFILE).write_bytes(msgspec.json.encode(result))
        (folder / EVIDENCE).write_bytes(
            b'{"fields": {"/total": {"page": 1, "boxes": [[1.0, 2.5, 3, 4]], "quote": "12.50"}}}'
        )
        steps = [{"tool_name": "t", "output_type": "JSON"}]
        metadata = {"source_hash": f"hash of {name}", "tool_metadata": steps}
        (folder / METADATA).write_bytes(msgspec.json.encode(metadata))
        sink = open_sink(self.config, "origin", self.created_at)
        try:
            return sink.deliver(
                Delivery(
                    execution_id=self.execution.id,
                    file_execution_id=claim["file_execution_id"],
                    attempt=claim["attempt"],
                    require=lambda: None,
                    file=msgspec.convert(claim["file"], FileHashData, strict=False),
                    folder=folder,
                    error=error,
                )
            )
        finally:
            sink.close()

    def verify(self) -> Any:
        found = self.api.get(f"/api/v1/executions/{self.execution.id}/verify")
        counts = ("delivered_once", "doubled", "missing", "changed", "unreadable", "replaced")
        assert found["expected"] == sum(found[name] for name in counts)
        return found

    def findings(self) -> list[tuple[str, str]]:
        found = self.verify()
        assert found["clean"] is (not found["findings"])
        for kind in ("doubled", "missing", "changed", "unexpected"):
            assert found[kind] == sum(finding["kind"] == kind for finding in found["findings"])
        return sorted((finding["kind"], finding["file"]) for finding in found["findings"])


class Table:
    """The destination's database, as its owner uses it."""

    def __init__(self, settings: dict[str, Any], schema: str | None) -> None:
        self.settings = settings
        self._schema = schema

    def execute(self, *statements: str) -> None:
        if self._schema is None:
            connection: Any = sqlite3.connect(self.settings["path"])
        else:
            connection = psycopg.connect(self.settings["connection_url"], options=f"-c search_path={self._schema}")
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()


@pytest.fixture
def table(api: Any, tmp_path: Path) -> Iterator[Table]:
    """A destination of the kind of the backend's own database."""
    if api.database.url.startswith("sqlite"):
        yield Table({"path": str(tmp_path / "rows.db")}, None)
        return
    url, schema = os.environ["DOCFLEET_TEST_POSTGRES_URL"], f"sink_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        yield Table({"connection_url": url, "schema": schema}, schema)
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def to_rows(api: Any, table: Table, tmp_path: Path) -> Callable[..., Run]:
    def run(files: int = 4, **settings: Any) -> Run:
        connector = "sqlite" if "path" in table.settings else "postgresql"
        destination = {"connector": connector, "settings": table.settings, "table": "rows", **settings}
        execution = api.run(api.workflow(destination=destination), use_file_history=False).ready(files)
        return Run(api, tmp_path, execution)

    return run


@pytest.fixture
def to_files(api: Any, tmp_path: Path) -> Run:
    destination = {"connector": "local", "settings": {"path": str(tmp_path / "out")}}
    return Run(api, tmp_path, api.run(api.workflow(destination=destination)).ready(3))


@pytest.mark.parametrize("mode", ["WRITE_JSON_TO_A_SINGLE_COLUMN", "SPLIT_JSON_INTO_COLUMNS"])
def test_rows_that_were_damaged_are_named(to_rows: Callable[..., Run], table: Table, mode: str) -> None:
    run = to_rows(columnMode=mode).process(failing=("f4.pdf",))
    found = run.verify()
    assert found["clean"] and not found["findings"]
    assert (found["expected"], found["delivered_once"], found["error_rows"], found["not_compared"]) == (3, 3, 1, 0)
    table.execute("DELETE FROM rows WHERE file_path = 'f1.pdf'")
    assert run.findings() == [("missing", "f1.pdf")]
    change = "data = '{\"total\": 13}'" if "SINGLE" in mode else "total = 13"
    table.execute(f"UPDATE rows SET {change} WHERE file_path = 'f2.pdf'")
    assert run.findings() == [("changed", "f2.pdf"), ("missing", "f1.pdf")]
    table.execute("UPDATE rows SET status = 'SUCCESS' WHERE file_path = 'f4.pdf'")
    assert run.findings() == [("changed", "f2.pdf"), ("missing", "f1.pdf"), ("unexpected", "f4.pdf")]
    table.execute(
        "INSERT INTO rows (id, execution_id, file_execution_id, status) "
        f"VALUES ('x', '{run.execution.id}', 'nobody', 'SUCCESS')"
    )
    assert run.verify()["unexpected"] == 2
    table.execute("DROP TABLE rows")
    assert run.findings() == [("missing", f"f{n}.pdf") for n in (1, 2, 3)]


def test_evidence_in_a_column_is_compared_too(to_rows: Callable[..., Run], table: Table) -> None:
    run = to_rows(evidenceColumn="proof").process()
    assert run.verify()["clean"]
    table.execute("UPDATE rows SET proof = '{}' WHERE file_path = 'f2.pdf'")
    assert run.findings() == [("changed", "f2.pdf")]


def test_rows_of_another_execution_do_not_count(to_rows: Callable[..., Run], table: Table) -> None:
    first = to_rows().process()
    second = to_rows().process()
    assert first.findings() == second.findings() == []
    table.execute(f"DELETE FROM rows WHERE execution_id = '{first.execution.id}'")
    assert len(first.findings()) == 4
    assert second.findings() == []


@pytest.mark.parametrize("identity", ["path", "content"])
def test_a_row_that_a_later_execution_replaced_is_not_missing(
    api: Any, table: Table, tmp_path: Path, identity: str
) -> None:
    connector = "sqlite" if "path" in table.settings else "postgresql"
    destination = {
        "connector": connector, "settings": table.settings, "table": "rows",
        "onChange": "replace", "identity": identity,
    }  # fmt: skip
    workflow = api.workflow(destination=destination)
    first, second = (
        Run(api, tmp_path, api.run(workflow, use_file_history=False).ready(files)).process() for files in (4, 3)
    )
    found = first.verify()
    assert found["clean"] and (found["replaced"], found["delivered_once"]) == (3, 1)
    assert second.verify()["delivered_once"] == 3
    table.execute("DELETE FROM rows")
    assert first.findings() == [("missing", "f4.pdf")]
    assert len(second.findings()) == 3


def test_a_doubled_row_of_a_table_without_the_key_is_found(to_rows: Callable[..., Run], table: Table) -> None:
    table.execute("CREATE TABLE rows (file_path TEXT, note TEXT)", "INSERT INTO rows VALUES ('old', 'theirs')")
    run = to_rows().process()
    assert run.findings() == []
    table.execute("INSERT INTO rows SELECT * FROM rows WHERE file_path IN ('f1.pdf', 'f2.pdf')")
    table.execute("UPDATE rows SET note = 'read' WHERE file_path = 'f3.pdf'")
    assert run.findings() == [("doubled", "f1.pdf"), ("doubled", "f2.pdf")]
    table.execute("INSERT INTO rows SELECT * FROM rows WHERE file_path = 'f1.pdf'")
    assert run.findings() == [("doubled", "f1.pdf"), ("doubled", "f2.pdf")]
    assert run.verify()["delivered_once"] == 2


def test_more_findings_than_are_named(
    to_rows: Callable[..., Run], table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "PAGE_FILES", 40)
    run = to_rows(120).process()
    assert run.verify()["delivered_once"] == 120
    table.execute("DELETE FROM rows")
    found = run.verify()
    assert (found["missing"], len(found["findings"]), found["more_findings"]) == (120, 100, 20)


def test_files_that_were_damaged_are_named(to_files: Run, tmp_path: Path) -> None:
    run = to_files.process(failing=("f3.pdf",))
    assert run.verify()["delivered_once"] == 2
    assert run.findings() == []
    one, two = (next(path for path in (tmp_path / "out").glob(f"{name}-*")) for name in ("f1", "f2"))
    (two / "2.txt").write_text("another text")
    assert run.findings() == [("changed", "f2.pdf")]
    (one / "1.txt").unlink()
    assert run.findings() == [("changed", "f2.pdf"), ("missing", "f1.pdf")]
    (two / "2.txt").write_text("page 2 of f2.pdf")
    assert run.findings() == [("missing", "f1.pdf")]
    (two / "2.txt").rename(two / "moved")
    (two / "2.txt").mkdir()  # root may read every file, but no folder is one
    assert run.findings() == [("missing", "f1.pdf"), ("unreadable", "f2.pdf")]
    (tmp_path / "out").rename(tmp_path / "gone")
    answer = run.api.get(f"/api/v1/executions/{run.execution.id}/verify", status=502)
    assert "cannot be read" in answer["detail"]


def test_a_destination_that_only_takes_files_says_so(to_files: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = to_files.process()
    only_writes = msgspec.structs.replace(LocalFileSystem.info, can_read=False)
    monkeypatch.setattr(LocalFileSystem, "info", only_writes)
    answer = run.api.get(f"/api/v1/executions/{run.execution.id}/verify", status=502)
    assert answer["code"] == "destination_rejected"
    assert "cannot be read back: connector localstorage only writes" in answer["detail"]


def test_results_of_an_api_that_were_damaged_are_named(api: Any, tmp_path: Path) -> None:
    deployment = api.publish("verified")
    execution = deployment.call(*((f"f{n}.pdf", b"x%d" % n) for n in (1, 2, 3)), use_file_history="true")
    message = next(sent for sent in api.recorder.sent if sent[1][2] == execution.id)
    execution.register(list(message[1][3].values()))
    execution.start()
    run = Run(api, tmp_path, execution).process(failing=("f3.pdf",))
    found = run.verify()
    assert (found["clean"], found["delivered_once"], found["error_rows"], found["not_compared"]) == (True, 2, 1, 0)
    again = deployment.call(("f1.pdf", b"x1"), use_file_history="true")
    message = next(sent for sent in api.recorder.sent if sent[1][2] == again.id)
    again.register(list(message[1][3].values()))
    again.start()
    copied = api.get(f"/api/v1/executions/{again.id}/verify")
    assert (copied["clean"], copied["delivered_once"], copied["not_compared"]) == (True, 1, 0)
    where = f"file_execution_id = '{next(f for f in execution.files() if f['name'] == 'f1.pdf')['file_execution_id']}'"
    api.write(f"UPDATE file_results SET result = '{{}}' WHERE {where}")
    assert [kind for kind, _ in run.findings()] == ["changed"]
    api.write(f"DELETE FROM file_results WHERE {where}")
    assert [kind for kind, _ in run.findings()] == ["missing"]


def test_only_an_ended_execution_of_the_own_organization(to_rows: Callable[..., Run], api: Any) -> None:
    run = to_rows()
    path = f"/api/v1/executions/{run.execution.id}/verify"
    assert "when it has ended" in api.get(path, status=409)["detail"]
    run.process()
    api.other().get(path, status=404)
    assert api.get(path)["clean"]


def test_what_was_delivered_before_there_were_digests_is_looked_for_and_not_compared(
    to_rows: Callable[..., Run], api: Any
) -> None:
    run = to_rows().process()
    api.write("DELETE FROM deliveries WHERE execution_id = :e", e=run.execution.id)
    found = run.verify()
    assert (found["clean"], found["delivered_once"], found["not_compared"]) == (True, 4, 4)


def test_a_report_that_is_repeated_notes_a_delivery_once(to_rows: Callable[..., Run], api: Any) -> None:
    run = to_rows(1)
    (claim,) = run.execution.take()
    outcome = api.outcome(claim, "COMPLETED", digest="ab" * 32)
    for _ in range(2):
        run.execution.report([], outcomes=[outcome])
    rows = api.write("UPDATE deliveries SET delivered_at = 0 WHERE execution_id = :e", e=run.execution.id)
    assert rows == 1
