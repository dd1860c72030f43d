"""Pieces of a page."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100


def cell(text: object) -> str:
    """``text`` on one line, escaped for a cell of a table."""
    return " ".join(str(text).replace("``", "`").split()).replace("|", "\\|")


def code(text: object) -> str:
    """``text`` as code; empty for empty text."""
    return f"`{text}`" if text not in (None, "") else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def prose(text: str) -> str:
    """Paragraphs, wrapped."""
    paragraphs = (" ".join(part.split()).replace("``", "`") for part in re.split(r"\n\s*\n", text.strip()))
    return "\n\n".join(
        textwrap.fill(part, WIDTH, break_long_words=False, break_on_hyphens=False) for part in paragraphs
    )


def page(title: str, *parts: str) -> str:
    """A complete page, with a note that it is generated."""
    note = "<!-- Written by `make docs` from the code: change the code, not this page. -->"
    return "\n\n".join((f"# {title}", note, *(part for part in parts if part))) + "\n"


def first_sentence(docstring: str | None) -> str:
    """The first paragraph of a docstring."""
    return (docstring or "").strip().partition("\n\n")[0]
