"""Limits on the nesting of lists and objects. A caller chooses the depth, and recursion over it exhausts the stack."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 32
"""The most levels that are accepted from outside, where JSON of any shape is accepted."""


def exceeds_depth(value: Any, levels: int = MAX_DEPTH) -> bool:
    """Whether ``value`` has more than ``levels`` levels of lists and objects; does not recurse."""
    level = [value] if isinstance(value, dict | list | tuple) else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list | tuple)
        ]
    return bool(level)
