"""Plain text and separated values."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from docfleet.tools.builtin.text_extractor.document import Document, ReadOptions
from docfleet.tools.sdk.text import decode_text, encoding_of
from docfleet.tools.sdk.words import Page, words_of_cells

_SAMPLE_CHARACTERS = 64 * 1024


def read_text(path: Path, _reading: ReadOptions) -> Document:
    """The text, whatever its encoding."""
    raw = path.read_bytes()
    return Document.of_texts([decode_text(raw)], {"encoding": encoding_of(raw)})


def read_csv(path: Path, _reading: ReadOptions) -> Document:
    """Rows with their cells separated by tabs, whatever the dialect; the plain text where no dialect fits."""
    raw = path.read_bytes()
    text = decode_text(raw)
    metadata: dict[str, object] = {"encoding": encoding_of(raw)}
    try:
        dialect = csv.Sniffer().sniff(text[:_SAMPLE_CHARACTERS], delimiters=",;\t|")
        dialect.doublequote = dialect.doublequote or dialect.escapechar is None
        if "\\" + dialect.delimiter in text[:_SAMPLE_CHARACTERS]:
            dialect.escapechar = "\\"
        rows = list(csv.reader(io.StringIO(text, newline=""), dialect))
    except csv.Error:
        return Document.of_texts([text], metadata)
    rows = [[cell.replace("\n", " ").replace("\t", " ") for cell in row] for row in rows]
    cells = (
        (number, {column: cell for column, cell in enumerate(row, start=1) if cell.strip()})
        for number, row in enumerate(rows, start=1)
    )
    page = Page("\n".join(map("\t".join, rows)), words_of_cells(cells))
    return Document([page], metadata | {"delimiter": dialect.delimiter, "rows": len(rows)})
