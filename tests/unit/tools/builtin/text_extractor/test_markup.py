"""HTML is read as a person sees it."""

from __future__ import annotations

import pytest
from bs4.element import PageElement, Tag

from docfleet.tools.builtin.text_extractor import markup
from tests.security.hostile_documents import epub
from tests.unit.tools.builtin.text_extractor.documents import Extract


def test_html_shows_what_a_reader_sees(extract: Extract) -> None:
    content = (
        "<!doctype html><head><meta charset='iso-8859-1'><title>T</title><style>p{}</style></head>"
        "<body><p>Grüße<br>zwei</p><script>hidden()</script><table><tr><td>a</td><td><p>b</p></td></tr></table></body>"
    ).encode("latin-1")
    assert extract(content).split("\n") == ["Grüße", "zwei", "", "a\tb", ""]


def test_html_is_read_in_one_pass(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, change in ((PageElement, "insert_before"), (PageElement, "replace_with"), (Tag, "append")):
        monkeypatch.setattr(kind, change, lambda *_: pytest.fail("a change takes as long as there are siblings"))
    assert extract(b"<html>" + b"<p>a<br>b</p>" * 3) == "a\nb\n\na\nb\n\na\nb\n"


def test_a_chapter_is_read_once_however_often_a_book_names_it(
    extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    monkeypatch.setattr(markup, "html_text", lambda content: (read.append(content), ("", "words"))[1])
    book = epub(["<p>words</p>", "<p>more</p>"], spine=[0] * 400 + [1])
    assert extract(book).count("words") == 401
    assert len(read) == 2


def test_a_book_that_repeats_itself_is_too_large(extract: Extract) -> None:
    book = epub(["<p>" + "word " * 250_000 + "</p>"], spine=[0] * 200)
    error = extract(book, fails=True, max_expanded_megabytes=100)
    assert error.error_code == "file_too_large" and "max_expanded_megabytes" in error.log
    error = extract(epub(["<p>x</p>"], spine=[0] * 11), fails=True, max_pages=10)
    assert error.error_code == "file_too_large" and "11 chapters" in error.log
