"""Every wire type survives the wire: to a dict, through JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.core import execution, files, results, review
from docfleet.core.errors import InvalidInput
from docfleet.core.files import FileBatchData, FileHashData, FileProcessingUtils, Tag, WorkerFileData
from docfleet.core.results import BatchExecutionResult, FileOutcome, aggregate
from docfleet.core.status import ExecutionStatus

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
name = text.filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(text, json_values, max_size=3)
optional = st.none() | name

file_hash_data = st.builds(
    FileHashData,
    file_name=name,
    file_path=name,
    file_hash=text,
    file_size=st.integers(0, 2**53),
    mime_type=text,
    provider_file_uuid=optional,
    fs_metadata=objects,
    source_connection_type=optional,
    file_destination=st.none() | name | st.lists(name, max_size=2),
    is_executed=st.booleans(),
    file_number=st.none() | st.integers(1, 10**6),
    connector_id=optional,
    use_file_history=st.booleans(),
    is_manualreview_required=st.booleans(),
    hitl_queue_name=optional,
    hitl_packet_id=optional,
    rejection=optional,
)
worker_file_data = st.builds(
    WorkerFileData,
    workflow_id=name,
    execution_id=name,
    organization_id=name,
    pipeline_id=name.filter(lambda value: value != "None") | st.none(),
    single_step=st.booleans(),
    scheduled=st.booleans(),
    execution_mode=name,
    use_file_history=st.booleans(),
    q_file_no_list=st.lists(st.integers(1, 100), max_size=4),
    hitl_queue_name=optional,
    hitl_packet_id=optional,
    manual_review_config=st.builds(
        review.ManualReviewConfig,
        review_required=st.booleans(),
        review_percentage=st.integers(0, 100),
        rule_logic=st.sampled_from([None, "AND", "OR"]),
        rule_json=json_values,
        file_decisions=st.lists(st.booleans(), max_size=4),
        q_file_no_list=st.lists(st.integers(1, 100), max_size=4),
    ),
    is_manualreview_required=st.booleans(),
    llm_profile_id=optional,
    tags=st.lists(st.builds(Tag, id=name, name=name, description=text), max_size=2),
    custom_data=st.none() | objects,
)


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


WIRE_TYPES = [
    value
    for module in (execution, results, files)
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, files.Wire)
    and value.__module__ == module.__name__
    and value not in (files.Wire, FileHashData, WorkerFileData, FileBatchData)
]


@pytest.mark.parametrize("kind", WIRE_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_other_wire_type_round_trips(kind: type[files.Wire], data: st.DataObject) -> None:
    value = data.draw(_any_of(kind))
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def _any_of(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for a struct from its field types."""
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: _strategy(field.type, field.name) for field in fields})


def _strategy(hint: Any, label: str) -> st.SearchStrategy[Any]:
    if hint is FileHashData:
        return file_hash_data
    if hint is Any:
        return json_values
    origin, args = getattr(hint, "__origin__", None), getattr(hint, "__args__", ())
    if origin is list:
        return st.lists(_strategy(args[0], label), max_size=2)
    if origin is dict:
        return st.dictionaries(text, _strategy(args[1], label), max_size=2)
    if type(hint).__name__ == "_LiteralGenericAlias":
        return st.sampled_from(args)
    if type(hint).__name__ == "UnionType":
        return st.one_of(*(_strategy(arg, label) for arg in args))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _any_of(hint)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: name,
        int: st.integers(0, 2**40),
        bool: st.booleans(),
        float: st.floats(0, 1e9),
        type(None): st.none(),
    }
    return simple[hint] if hint in simple else st.sampled_from(list(hint))


@pytest.mark.parametrize("entry", [None, 7, "text", {}, {"file_name": "a"}, {"file_name": "", "file_path": "p"}, []])
def test_a_bad_entry_is_a_failed_file_with_a_reason(entry: Any) -> None:
    converted = FileProcessingUtils.convert_file_hash_data({"good": {"file_name": "g", "file_path": "p"}, "bad": entry})
    assert list(converted) == ["good", "bad"]
    assert converted["good"].rejection is None
    assert converted["bad"].rejection
    assert converted["bad"].file_key


def test_explicit_nulls_mean_defaults() -> None:
    file = FileHashData.from_dict({"file_name": "a", "file_path": "p", "fs_metadata": None, "file_size": None})
    assert (file.fs_metadata, file.file_size) == ({}, 0)


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


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5), st.randoms())
def test_aggregation_does_not_depend_on_order(counts: list[tuple[int, int]], random: Any) -> None:
    batches = [
        BatchExecutionResult(total_files=ok + bad, successful_files=ok, failed_files=bad).to_dict()
        for ok, bad in counts
    ]
    shuffled = list(batches)
    random.shuffle(shuffled)
    assert aggregate(shuffled) == aggregate(batches)
    assert aggregate(batches).total_files == sum(ok + bad for ok, bad in counts)


def test_a_result_that_is_none_is_an_error_not_silence() -> None:
    summed = aggregate([None, {"total_files": 2, "successful_files": 2}, "x"])
    assert (summed.total_files, summed.unreadable_batches, len(summed.errors)) == (2, 2, 2)


def test_a_receipt_names_few_failures_and_counts_all() -> None:
    receipt = BatchExecutionResult()
    for number in range(1000):
        outcome = FileOutcome(file_execution_id=str(number), attempt=1, status=ExecutionStatus.ERROR, error="e" * 50)
        receipt.add(outcome, f"{number}.pdf")
    assert receipt.failed_files == 1000
    assert len(json.dumps(receipt.to_dict())) < 4000
