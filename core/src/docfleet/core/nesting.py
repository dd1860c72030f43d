"""How deep a value of lists and objects is. Depth is a caller's choice, and what recurses over it runs out of stack."""

from __future__ import annotations

from typing import Any

DEEPEST = 32
"""Levels that are taken from outside, where JSON of any shape is taken."""


def deeper(value: Any, levels: int = DEEPEST) -> bool:
    """Whether ``value`` has more than ``levels`` levels of lists and objects; takes no stack, however deep it is."""
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
