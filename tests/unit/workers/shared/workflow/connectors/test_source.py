"""Sources of files: connectors and the uploads of an API."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.errors import EmptyFile, FileMissing, SourceError, UnsafePath
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
from docfleet.core.storage import upload_folder
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource, UploadSource, open_source


def test_fetching_hashes_on_the_way_and_refuses_nothing_to_read(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_bytes(b"hello")
    (source / "empty.txt").touch()
    fetcher = ConnectorSource(SourceConfig(connector_id="local", connector_settings={"path": str(source)}))
    target = tmp_path / "SOURCE"
    digest = fetcher.fetch(FileHashData(file_name="a.txt", file_path="a.txt"), target)
    assert digest == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert target.read_bytes() == b"hello"
    with pytest.raises(EmptyFile):
        fetcher.fetch(FileHashData(file_name="empty.txt", file_path="empty.txt"), tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SOURCE", "in"]


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
