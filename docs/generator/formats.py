"""`formats.md`: from the table of readers of the text extractor."""

from __future__ import annotations

from docfleet.tools.builtin.text_extractor.formats import FORMATS, REFUSED
from docs.generator.markdown import code, page, prose, table

_INTRODUCTION = """
What the tool ``text_extractor`` reads, by which library, and what it keeps. The type of a file comes from its content;
the name decides only between types of plain text, and where a file is damaged.

Words and tables come in the order of reading. Cells of one row stand on one line with tabs between them. A value that
cannot be read is missing, with an error or a warning; nothing is guessed in its place.
"""
_NOT_READ = """
These are refused with their name and what to send instead, as ``unsupported_file_type``. A file that is cut off or
damaged is ``corrupt_file``, an encrypted one ``password_required``.
"""


def render() -> str:
    """The page."""
    read = [(each.name, each.library, each.kept, each.left) for each in FORMATS]
    types = [(each.name, ", ".join(map(code, each.mimes))) for each in FORMATS]
    refused: dict[str, tuple[str, list[str]]] = {}
    for mime, (what, other) in REFUSED.items():
        refused.setdefault(what, (other, []))[1].append(mime)
    return page(
        "Formats",
        prose(_INTRODUCTION),
        table(["format", "read by", "kept", "not kept"], read),
        "## What is not read",
        prose(_NOT_READ),
        table(["file", "send instead"], [(what, other) for what, (other, _) in refused.items()]),
        "## MIME types",
        table(["format", "types"], types),
        table(["not read", "types"], [(what, ", ".join(map(code, mimes))) for what, (_, mimes) in refused.items()]),
    )
