"""API runs in a worker: uploads as a source, results that travel with the outcome."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docfleet.core.errors import EmptyFile, FileMissing, SourceError, ToolOutputTooLarge, UnsafePath
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    OrganizationContext,
    SourceConfig,
    WorkflowDefinition,
)
from docfleet.core.files import FileHashData, FileProcessingUtils
from docfleet.core.names import execution_queues
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import INFILE, METADATA, upload_folder
from docfleet.workers.shared.workflow.connectors import destination
from docfleet.workers.shared.workflow.connectors.destination import ApiSink, Delivery, open_sink
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource, UploadSource, open_source


def context(*, api: bool = True, folder: Path | None = None) -> ExecutionContext:
    return ExecutionContext(
        execution=ExecutionInfo(id="e1", workflow_id="w1", status=ExecutionStatus.EXECUTING),
        workflow_definition=WorkflowDefinition(workflow_id="w1", workflow_name="n"),
        source_config=SourceConfig(is_api=api, connector_id="local", connector_settings={"path": str(folder)}),
        destination_config=DestinationConfig(is_api=api, connection_type="API" if api else "FILESYSTEM"),
        organization_context=OrganizationContext(organization_id="org"),
    )


def staged(root: Path, content: bytes, **changes: Any) -> FileHashData:
    digest = hashlib.sha256(content).hexdigest()
    folder = root / upload_folder("org", "w1", "e1")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(content)
    entry = {
        "file_name": "../../etc/passwd",
        "file_path": f"{upload_folder('org', 'w1', 'e1')}/{digest}",
        "file_hash": digest,
        "file_size": len(content),
        "source_connection_type": "API",
        **changes,
    }
    return FileHashData.from_dict(entry)


def test_a_staged_file_is_fetched_by_its_hash_not_by_its_name(tmp_path: Path) -> None:
    file = staged(tmp_path, b"hello")
    target = tmp_path / "SOURCE"
    assert UploadSource(tmp_path, context()).fetch(file, target) == file.file_hash
    assert target.read_bytes() == b"hello"
    assert target.stat().st_ino == (tmp_path / file.file_path).stat().st_ino, "a copy where a second name would do"


def test_a_file_system_without_hard_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    file = staged(tmp_path, b"hello")
    UploadSource(tmp_path, context()).fetch(file, tmp_path / "SOURCE")
    assert (tmp_path / "SOURCE").read_bytes() == b"hello"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file_size": 4}, SourceError),
        ({"file_path": "org/w1/other/uploads/x"}, UnsafePath),
        ({"file_path": "../../../etc/passwd"}, UnsafePath),
        ({"file_hash": "0" * 64}, UnsafePath),
        ({"file_hash": "0" * 64, "file_path": f"org/w1/e1/uploads/{'0' * 64}"}, FileMissing),
    ],
)
def test_a_file_that_is_not_what_the_message_says_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: type[Exception]
) -> None:
    file = staged(tmp_path, b"hello", **changes)
    with pytest.raises(expected):
        UploadSource(tmp_path, context()).fetch(file, tmp_path / "SOURCE")
    assert not (tmp_path / "SOURCE").exists()


def test_an_empty_upload_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile):
        UploadSource(tmp_path, context()).fetch(staged(tmp_path, b""), tmp_path / "SOURCE")


def test_the_files_of_a_message_keep_their_order_and_a_bad_entry_is_kept(tmp_path: Path) -> None:
    message = {name: staged(tmp_path, name.encode(), file_name=name).to_dict() for name in ("z", "a", "m")}
    message["bad"] = {"file_size": "many"}
    files = list(
        UploadSource(tmp_path, context(), FileProcessingUtils.convert_file_hash_data(message).values()).files()
    )
    assert [file.file_name for file in files] == ["z", "a", "m", "bad"]
    assert files[3].rejection and not files[0].rejection


def test_the_context_chooses_source_and_queues(tmp_path: Path) -> None:
    assert isinstance(open_source(context(), tmp_path), UploadSource)
    assert isinstance(open_source(context(api=False, folder=tmp_path), tmp_path), ConnectorSource)
    assert context().queues is execution_queues(is_api=True)
    assert context(api=False).queues is execution_queues(is_api=False)


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
