"""Every wire type survives the wire, and an explicit null means the default."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.core import execution, files, results
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from tests.unit.core.wire_examples import file_hash_data, json_values, name, text

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
    if hasattr(hint, "__metadata__"):  # Annotated, for the description alone
        return _strategy(hint.__origin__, label)
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


def test_explicit_nulls_mean_defaults() -> None:
    file = FileHashData.from_dict({"file_name": "a", "file_path": "p", "fs_metadata": None, "file_size": None})
    assert (file.fs_metadata, file.file_size) == ({}, 0)
