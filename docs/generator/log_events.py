"""`log-events.md`: from the log calls, with the meanings of ``meanings.py``."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

from docs.generator.markdown import code, page, prose, table
from docs.generator.meanings import LOG_EVENTS
from docs.generator.sources import calls, constant

LEVELS = ("debug", "info", "warning", "error", "critical")
_EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")


class Event(NamedTuple):
    """One event of one member: the levels it is written at, and the names of its data."""

    levels: list[str]
    fields: list[str]


@cache
def events() -> dict[str, dict[str, Event]]:
    """All events, by member and name."""
    by_package: dict[str, dict[str, Event]] = {}
    for source, call in calls():
        level = call.func.attr.replace("exception", "error") if isinstance(call.func, ast.Attribute) else ""
        name = constant(call.args[0]) if call.args else None
        if level in LEVELS and isinstance(name, str) and _EVENT.fullmatch(name):
            event = by_package.setdefault(source.package, {}).setdefault(name, Event([], []))
            event.levels.extend({level} - set(event.levels))
            names = [keyword.arg or "..." for keyword in call.keywords if keyword.arg != "exc_info"]
            event.fields.extend(name for name in names if name not in event.fields)
    return by_package


def render() -> str:
    """The page."""
    parts = []
    for package, named in sorted(events().items()):
        rows = (
            (code(name), "/".join(sorted(event.levels, key=LEVELS.index)), ", ".join(event.fields), LOG_EVENTS[name])
            for name, event in sorted(named.items())
        )
        parts += [f"## {package}", table(("event", "level", "data", "meaning"), rows)]
    return page(
        "Log events",
        prose(
            "Logs go to standard error. With `LOG_FORMAT=json` a line is one object: `event`, `level`, `timestamp` and "
            "the data named here. A line of a task also has `task_id`, `organization_id` and `execution_id`, as far as "
            "they are known. Names of events are stable; texts in their data are not."
        ),
        *parts,
    )
