"""Results of an API travel with the outcome of their file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.errors import ToolOutputTooLarge, ToolResultInvalid
from docfleet.core.execution import DestinationConfig
from docfleet.core.files import FileHashData
from docfleet.core.storage import COPY_TO_FOLDER, EVIDENCE, INFILE, METADATA
from docfleet.workers.shared.workflow.connectors import destination
from docfleet.workers.shared.workflow.connectors.destination import ApiSink, Delivery, open_sink


def delivery(folder: Path, infile: bytes, output_type: str, **changes: Any) -> Delivery:
    folder.mkdir(exist_ok=True)
    (folder / INFILE).write_bytes(infile)
    (folder / METADATA).write_bytes(
        msgspec.json.encode(
            {"source_name": "a.pdf", "tool_metadata": [{"tool_name": "last", "output_type": output_type}]}
        )
    )
    return Delivery(
        **{
            "execution_id": "e1",
            "file_execution_id": "f1",
            "attempt": 1,
            "require": lambda: None,
            "file": FileHashData(file_name="a.pdf", file_path="p"),
            "folder": folder,
            "metadata": {"source_name": "?", "tags": ["t"]},
            **changes,
        }
    )


def test_a_result_has_output_metadata_and_metrics(tmp_path: Path) -> None:
    sink = open_sink(DestinationConfig(connection_type="API"))
    assert isinstance(sink, ApiSink)
    done = sink.deliver(delivery(tmp_path, b'{"total": 1.50}', "JSON", text="all of it", metrics={"steps": []}))
    assert done.outputs == []
    assert done.result is not None
    assert msgspec.json.decode(done.result) == {
        "output": {"total": 1.5},
        "metadata": {"source_name": "a.pdf", "tools": ["last"], "extracted_text": "all of it"},
        "metrics": {"steps": []},
    }
    assert done.metadata is not None
    assert (done.metadata["source_name"], done.metadata["tags"]) == ("a.pdf", ["t"])


EVIDENCE_OF_TOTAL = {"fields": {"/total": {"match": "exact", "page": 1, "quote": "1.50", "confidence": 0.9}}}


def test_evidence_is_metadata_of_an_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / EVIDENCE).write_bytes(msgspec.json.encode(EVIDENCE_OF_TOTAL))
    done = ApiSink().deliver(delivery(tmp_path, b'{"total": 1.50}', "JSON"))
    assert done.metadata is not None and done.result is not None
    assert done.metadata["evidence"]["fields"]["/total"]["quote"] == "1.50"
    assert "evidence" not in msgspec.json.decode(done.result)["output"]
    monkeypatch.setattr(destination, "MAX_API_EVIDENCE_BYTES", 10)
    done = ApiSink().deliver(delivery(tmp_path, b'{"total": 1.50}', "JSON"))
    assert done.metadata is not None and "evidence" not in done.metadata


def test_evidence_that_is_none_is_the_fault_of_the_tool(tmp_path: Path) -> None:
    (tmp_path / EVIDENCE).write_bytes(b'{"fields": [')
    with pytest.raises(ToolResultInvalid, match=r"EVIDENCE\.json of the tool cannot be read"):
        ApiSink().deliver(delivery(tmp_path, b"{}", "JSON"))


@pytest.mark.parametrize("mode", ["WRITE_JSON_TO_A_SINGLE_COLUMN", "SPLIT_JSON_INTO_COLUMNS"])
def test_a_table_has_evidence_where_it_wants_it(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "rows.db"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / EVIDENCE).write_bytes(msgspec.json.encode(EVIDENCE_OF_TOTAL))
    for table, more in (("without", {}), ("wanted", {"evidenceColumn": "proof"})):
        settings = {"table": table, "columnMode": mode, **more}
        config = DestinationConfig(
            connection_type="DATABASE", connector_id="sqlite", settings=settings, connector_settings={"path": str(path)}
        )
        sink = open_sink(config)
        sink.deliver(delivery(tmp_path / "run", b'{"total": 1.50, "proof": "of the tool"}', "JSON"))
        sink.close()
    with contextlib.closing(sqlite3.connect(path)) as rows:
        (proof,) = rows.execute("SELECT proof FROM wanted").fetchone()
        columns = {row[1] for row in rows.execute("PRAGMA table_info(without)")}
    assert msgspec.json.decode(proof)["fields"]["/total"]["page"] == 1
    assert ("proof" in columns) is (mode == "SPLIT_JSON_INTO_COLUMNS"), "a field of the result keeps its name"


def test_a_folder_has_evidence_where_it_wants_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / EVIDENCE).write_bytes(msgspec.json.encode(EVIDENCE_OF_TOTAL))
    for out, wanted in (("without", False), ("wanted", True)):
        config = DestinationConfig(
            connection_type="FILESYSTEM",
            connector_id="local",
            settings={"evidence": wanted},
            connector_settings={"path": str(tmp_path / out)},
        )
        (tmp_path / out).mkdir()
        sink = open_sink(config)
        sink.deliver(delivery(tmp_path / "run", b'{"total": 1.50}', "JSON"))
        sink.close()
        (tmp_path / "run" / COPY_TO_FOLDER / EVIDENCE).unlink(missing_ok=True)
    assert next(path.name for path in (tmp_path / "without").rglob("*.json")).startswith("a-")
    (kept,) = (tmp_path / "wanted").rglob(EVIDENCE)
    assert msgspec.json.decode(kept.read_bytes()) == EVIDENCE_OF_TOTAL


def test_text_is_a_result_too_and_broken_bytes_are_replaced(tmp_path: Path) -> None:
    done = ApiSink().deliver(delivery(tmp_path, b"caf\xe9", "TXT"))
    assert done.result is not None
    assert msgspec.json.decode(done.result)["output"] == "caf\ufffd"


def test_a_failed_file_has_metadata_even_when_it_was_never_fetched(tmp_path: Path) -> None:
    empty = tmp_path / "nowhere"
    missing = msgspec.structs.replace(delivery(tmp_path, b"", "TXT", error="broken"), folder=empty)
    done = ApiSink().deliver(missing)
    assert done.result is None
    assert done.metadata == {
        "source_name": "?",
        "tags": ["t"],
        "error_occurred": True,
        "workflow_execution_failed": True,
    }


def test_a_result_that_no_answer_could_carry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "MAX_RESULT_BYTES", 1000)
    with pytest.raises(ToolOutputTooLarge, match="use a workflow with a destination"):
        ApiSink().deliver(delivery(tmp_path, b'"' + b"x" * 1000 + b'"', "JSON"))


def test_a_result_beyond_its_bound_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = delivery(tmp_path, b'"' + b"x" * 9 + b'"', "JSON", result_bytes=10)
    monkeypatch.setattr(destination, "read_metadata", lambda _: {})
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path.name} was read"))
    with pytest.raises(ToolOutputTooLarge, match=r"11 bytes.*TOOL_RESULT_BYTES"):
        ApiSink().deliver(made)


def _documents(tmp_path: Path, identity: str, *deliveries: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """The rows after deliveries of (execution, time, path, hash) into a table that keeps one row of a document."""
    path = tmp_path / "rows.db"
    settings = {"table": "t", "onChange": "replace", "identity": identity}
    config = DestinationConfig(
        connection_type="DATABASE",
        connector_id="sqlite",
        connector_settings={"path": str(path)},
        settings=settings,
    )
    for number, (execution, created_at, name, content) in enumerate(deliveries):
        sink = open_sink(config, "workflow\0source", created_at)
        file = FileHashData(file_name=name, file_path=name, file_hash=content)
        given = delivery(tmp_path / str(number), b"{}", "JSON", execution_id=execution, file=file)
        sink.deliver(given)
        sink.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT execution_id, file_path FROM t ORDER BY 1, 2").fetchall()


def test_a_document_is_known_by_its_path_or_by_its_content(tmp_path: Path) -> None:
    changed = (("e1", "2024-03-04", "a.pdf", "1"), ("e2", "2024-03-05", "a.pdf", "2"))
    renamed = (("e1", "2024-03-04", "a.pdf", "1"), ("e2", "2024-03-05", "b.pdf", "1"))
    for folder in ("1", "2", "3", "4"):
        (tmp_path / folder).mkdir()
    assert _documents(tmp_path / "1", "path", *changed) == [("e2", "a.pdf")]
    assert _documents(tmp_path / "2", "path", *renamed) == [("e1", "a.pdf"), ("e2", "b.pdf")]
    assert _documents(tmp_path / "3", "content", *changed) == [("e1", "a.pdf"), ("e2", "a.pdf")]
    assert _documents(tmp_path / "4", "content", *renamed) == [("e2", "b.pdf")]


def test_a_document_of_unknown_content_is_nobody_s(tmp_path: Path) -> None:
    unknown = (("e1", "2024-03-04", "a.pdf", ""), ("e2", "2024-03-05", "b.pdf", ""))
    assert len(_documents(tmp_path, "content", *unknown)) == 2
