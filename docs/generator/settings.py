"""`settings.md`: every variable of every process, from the settings types and the docstrings of their fields."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from docs.generator.markdown import code, page, prose, table
from docs.generator.sources import calls, field_docstrings, sources

TITLES = {
    "BackendSettings": "Backend",
    "WorkerSettings": "Workers",
    "RunnerSettings": "Runner",
    "ConnectionSettings": "Commands",
    "SystemSettings": "`docfleet run` and `docfleet dev`",
    "FaultSettings": "Faults, for tests",
}
_TYPE_NAMES = {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`"}
INTRODUCTION = """
Settings are environment variables. `docfleet config PROCESS` prints every setting of a process, its value there and
where it came from. A blank variable counts as absent. A misspelt or malformed setting stops its process at start; [what
a process refuses](../howto/fix-a-refused-start.md) says what to do.

A Celery setting `CELERY_NAME` is read as `<WORKER_TYPE>_NAME` first: `GENERAL_CONCURRENCY` is `CELERY_CONCURRENCY` of
the `general` worker alone. `WORKER_HEALTH_PORT` likewise is `<WORKER_TYPE>_HEALTH_PORT`.
"""


def settings_types() -> list[type[msgspec.Struct]]:
    """Every type that is read from the environment: the arguments of ``read_settings``."""
    names = {name for _, call in calls() if (name := _argument(call)) not in (None, "cls")}
    types = []
    for source in sources():
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and (node.name in names or _reads_itself(node)):
                types.append(getattr(importlib.import_module(source.name), node.name))
    order = list(TITLES)
    return sorted(types, key=lambda kind: order.index(kind.__name__) if kind.__name__ in order else len(order))


def _reads_itself(node: ast.ClassDef) -> bool:
    return any(isinstance(call, ast.Call) and _argument(call) == "cls" for call in ast.walk(node))


def _argument(call: ast.Call) -> str | None:
    """The type in ``read_settings(TYPE)``."""
    reads = isinstance(call.func, ast.Name) and call.func.id == "read_settings" and bool(call.args)
    return call.args[0].id if reads and isinstance(call.args[0], ast.Name) else None


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "**required**"
    if field.default is msgspec.NODEFAULT:
        return "by the machine"
    if field.default in (None, ""):
        return "unset"
    if isinstance(field.default, bool):
        return code(str(field.default).lower())
    is_whole = isinstance(field.default, float) and field.default.is_integer()
    return code(int(field.default) if is_whole else field.default)


def _kind(annotation: Any) -> Iterator[str]:
    """What a value may be: the type's name, its choices, its bounds."""
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        yield from _kind(kind)
        yield from (bound for meta in more if isinstance(meta, msgspec.Meta) for bound in _bounds(meta))
    elif get_origin(annotation) is Literal:
        yield " ".join(map(code, get_args(annotation)))
    elif isinstance(annotation, type):
        yield _TYPE_NAMES[annotation.__name__]
    else:
        for part in get_args(annotation):
            if part is not type(None):
                yield from _kind(part)


def _bounds(meta: msgspec.Meta) -> Iterator[str]:
    for word, limit in (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt)):
        if limit is not None:
            yield f"{word} {limit}"


def rows(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, str]]:
    """Variable, default, values and meaning of each field."""
    meanings = field_docstrings(kind)
    for field in msgspec.structs.fields(kind):
        values = ", ".join(_kind(field.type))
        yield code(field.encode_name), _default(field), values, meanings.get(field.name, "")


def render() -> str:
    """The page."""
    parts = []
    for kind in settings_types():
        title = TITLES.get(kind.__name__, kind.__name__)
        parts += [f"## {title}", table(("variable", "default", "values", "meaning"), rows(kind))]
    return page("Settings", prose(INTRODUCTION), *parts)
