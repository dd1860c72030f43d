"""The texts of msgspec's errors, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec.inspect

from docfleet.core.names import NAME_RULES

_NOT_ALLOWED = "Invalid enum value"


def readable_error(fault: str, of: Any = None, path: Sequence[str] = ()) -> str:
    """``fault`` with the rule for a name instead of its regular expression, and with the values that are allowed.

    ``of`` is the type that the value did not fit; ``path`` is the way to the fault in it, by names in JSON. Without
    them, or where the way leads nowhere, the values are left out.
    """
    for pattern, words in NAME_RULES.items():
        fault = fault.replace(f"`str` matching regex {pattern!r}", words)
    if not fault.startswith(_NOT_ALLOWED) or of is None:
        return fault
    values = sorted({str(value) for value in _values(_inside(msgspec.inspect.type_info(of), path))})
    return f"{fault.rstrip()}: use one of {', '.join(values)}" if values else fault


def _inside(kind: msgspec.inspect.Type, path: Sequence[str]) -> list[msgspec.inspect.Type]:
    kinds = [kind]
    for step in path:
        kinds = [inner for outer in _branches(kinds) for inner in _step(outer, step)]
    return kinds


def _branches(kinds: Iterable[msgspec.inspect.Type]) -> Iterator[msgspec.inspect.Type]:
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.UnionType):
            yield from _branches(kind.types)
        elif isinstance(kind, msgspec.inspect.Metadata):
            yield from _branches([kind.type])
        else:
            yield kind


def _step(kind: msgspec.inspect.Type, step: str) -> list[msgspec.inspect.Type]:
    if isinstance(kind, msgspec.inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, msgspec.inspect.DictType):
        return [kind.value_type]
    if isinstance(kind, msgspec.inspect.CollectionType):
        return [kind.item_type]
    return []


def _values(kinds: Iterable[msgspec.inspect.Type]) -> Iterator[Any]:
    for kind in _branches(kinds):
        if isinstance(kind, msgspec.inspect.LiteralType):
            yield from kind.values
        elif isinstance(kind, msgspec.inspect.EnumType):
            yield from (member.value for member in kind.cls)
