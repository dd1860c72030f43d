"""File types on the wire: to a dict, through JSON, and back; the original's spellings are understood."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.core.errors import InvalidInput
from docfleet.core.files import FileBatchData, FileHashData, FileProcessingUtils, Tag, WorkerFileData
from tests.unit.core.wire_examples import file_hash_data, name, worker_file_data


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value.to_dict()))


@given(file_hash_data)
def test_file_hash_data_round_trips(file: FileHashData) -> None:
    assert FileHashData.from_dict(through_json(file)) == file


@given(file_hash_data)
def test_conversion_keeps_what_the_original_lost(file: FileHashData) -> None:
    converted = FileProcessingUtils.convert_file_hash_data({"key": through_json(file)})["key"]
    assert converted.provider_file_uuid == file.provider_file_uuid
    assert converted.hitl_packet_id == file.hitl_packet_id
    assert converted.file_key == file.file_key


@given(worker_file_data)
def test_worker_file_data_round_trips(data: WorkerFileData) -> None:
    assert WorkerFileData.from_dict(through_json(data)) == data


@given(worker_file_data, st.lists(st.tuples(name, file_hash_data), max_size=3, unique_by=lambda pair: pair[0]))
def test_file_batch_data_round_trips(data: WorkerFileData, pairs: list[tuple[str, FileHashData]]) -> None:
    batch = FileBatchData(file_data=data, files=pairs, batch_index=1, batch_count=3)
    assert FileBatchData.from_dict(through_json(batch)) == batch


@pytest.mark.parametrize("entry", [None, 7, "text", {}, {"file_name": "a"}, {"file_name": "", "file_path": "p"}, []])
def test_a_bad_entry_is_a_failed_file_with_a_reason(entry: Any) -> None:
    converted = FileProcessingUtils.convert_file_hash_data({"good": {"file_name": "g", "file_path": "p"}, "bad": entry})
    assert list(converted) == ["good", "bad"]
    assert converted["good"].rejection is None
    assert converted["bad"].rejection
    assert converted["bad"].file_key


def test_files_without_a_provider_uuid_have_a_stable_key() -> None:
    entry = {"file_name": "a", "file_path": "in/a", "file_size": 5, "fs_metadata": {"modified_at": 10.5}}
    first, again = FileHashData.from_dict(entry), FileHashData.from_dict(entry)
    touched = FileHashData.from_dict({**entry, "fs_metadata": {"modified_at": 11.0}})
    assert first.file_key == again.file_key
    assert first.file_key != touched.file_key
    assert FileHashData.from_dict({**entry, "provider_file_uuid": "etag"}).file_key == "etag"
    assert FileHashData.from_dict({**entry, "file_hash": "abc"}).file_key == "abc"


def test_the_originals_spellings_are_understood() -> None:
    base = {"workflow_id": "w", "execution_id": "e", "organization_id": "o"}
    data = WorkerFileData.from_dict({**base, "pipeline_id": "None", "execution_mode": ["QUEUE", "x"], "tags": ["a"]})
    assert (data.pipeline_id, data.execution_mode, data.tags) == (None, "QUEUE", [Tag(name="a")])


@pytest.mark.parametrize("missing", ["workflow_id", "execution_id", "organization_id"])
def test_missing_or_empty_ids_are_refused_by_name(missing: str) -> None:
    base = {"workflow_id": "w", "execution_id": "e", "organization_id": "o"}
    with pytest.raises(InvalidInput, match=missing):
        WorkerFileData.from_dict({**base, missing: ""})
    with pytest.raises(InvalidInput, match=missing):
        WorkerFileData.from_dict({key: value for key, value in base.items() if key != missing})


@pytest.mark.parametrize("flag", ["yes", 1, 0])
def test_flags_are_strict(flag: Any) -> None:
    base = {"workflow_id": "w", "execution_id": "e", "organization_id": "o"}
    with pytest.raises(InvalidInput, match="use_file_history"):
        WorkerFileData.from_dict({**base, "use_file_history": flag})


def test_batch_files_may_be_pairs_or_objects() -> None:
    data = {"workflow_id": "w", "execution_id": "e", "organization_id": "o"}
    entry = {"file_name": "a.pdf", "file_path": "in/a.pdf"}
    for shape in ([["a.pdf", entry]], [entry], [("a.pdf", entry)]):
        batch = FileBatchData.from_dict({"files": shape, "file_data": data})
        assert [(key, file.file_path) for key, file in batch.files] == [("a.pdf", "in/a.pdf")]


@pytest.mark.parametrize("broken", [{}, {"file_data": 3}, {"file_data": {}, "files": 3}, None])
def test_a_broken_batch_is_refused(broken: Any) -> None:
    with pytest.raises(InvalidInput):
        FileBatchData.from_dict(broken)
