"""Plain text of any encoding, and separated values of any dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk import words
from tests.unit.tools.builtin.text_extractor.documents import Extract


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_text_of_any_encoding(extract: Extract, encoding: str) -> None:
    text = "Größenangaben für Müller, Straße und Übergröße: schöne Grüße aus Köln\n" * 3
    assert extract(text.replace("\n", "\r\n").encode(encoding)) == text


def test_separated_values_have_cells(extract: Extract, tmp_path: Path) -> None:
    extract(b'name,total\n,\n"A, B\nC","1,50"\n', "t.csv")
    (page,) = words.load(tmp_path / "WORDS")
    assert [(word.place, word.text) for word in page.words] == [
        ("A1", "name"), ("B1", "total"), ("A3", "A, B C"), ("B3", "1,50"),
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separated_values_of_any_dialect(extract: Extract, delimiter: str) -> None:
    rows = [["name", "city", "n"], ["a b", f"x{delimiter} y", "1"], ["c", "d", "2"]]
    content = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    assert extract(content.encode(), name).split("\n")[2] == "c\td\t2"
