"""A guard and the edit that takes it away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """In ``file`` the text ``old``, which is there once, becomes ``new``."""

    file: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Mutant:
    """A guard, what takes it away, and the test that has to notice."""

    guard: str
    test: str
    edits: tuple[Edit, ...]


def mutant(guard: str, test: str, *edits: Edit | tuple[str, str, str]) -> Mutant:
    """``edits`` are (file, old text, new text)."""
    return Mutant(guard, test, tuple(edit if isinstance(edit, Edit) else Edit(*edit) for edit in edits))
