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


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>Total\n   amount:\n5</p>", "Total amount: 5"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<p>5 &#128; &#x97; &nbsp;&lbrace;&check;&rbrace; &amp;check; &lt;b&gt;</p>", "5 € — {✓} &check; <b>"),
        ("<p>seen</p><p hidden>-</p><p style='color:red; display : none'>-</p><i style='visibility:hidden'>-</i>",
         "seen"),
        ("<noscript><p>without scripts</p></noscript>", "without scripts"),
        ("<nav><a>Docs</a><a>API</a></nav>", "Docs API"),
        ("<p>sub<a>link</a>s <b>bo</b><i>th</i></p>", "sublinks both"),
        ("<select><option>one</option><option>two</option></select>", "one\ntwo"),
        ("<table><caption>Items</caption><tr><td>a</td></tr></table>", "Items\na"),
        ("<form>Name <input value='Ada'><input type=hidden value=secret></form>", "Name Ada"),
        ("<p>Rech&shy;nung Num&#8203;mer</p>", "Rechnung Nummer"),
        ("<svg><title>no</title><text>in the chart</text></svg>", "in the chart"),
    ],
)  # fmt: skip
def test_html_as_a_browser_without_scripts_shows_it(extract: Extract, content: str, text: str) -> None:
    assert extract(f"<html><body>{content}</body></html>".encode()) == text + "\n"


def test_cells_of_html_keep_their_columns_and_rows(extract: Extract) -> None:
    rows = (
        "<tr><th>Item</th><th>Qty</th><th>Price</th></tr>"
        "<tr><td><ul><li>Red</li><li>paint</li></ul></td><td></td><td><div><div>5.00</div></div></td></tr>"
        "<tr><td></td><td></td><td>5.00</td></tr>"
    )
    assert extract(f"<html><table><tbody>{rows}</tbody></table></html>".encode()) == (
        "Item\tQty\tPrice\nRed paint\t\t5.00\n\t\t5.00\n"
    )


def test_a_table_for_the_layout_keeps_the_lines_within(extract: Extract) -> None:
    inner = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
    assert extract(f"<html><table><tr><td>left</td><td>{inner}</td></tr></table></html>".encode()).split() == (
        ["left", "a", "b", "c", "d"]
    )
    assert "a\tb\nc\td\n" in extract(f"<html><table><tr><td>{inner}</td></tr></table></html>".encode())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<html><head><meta charset=iso-8859-1></head><p>\x80 5 \x93ok\x94</p></html>", "€ 5 “ok”"),
        (b"<html><meta charset=utf-8><p>Gr\xf6\xdfe f\xfcr M\xfcller</p></html>", "Größe für Müller"),
        ("<html><meta charset=iso-8859-1><p>Größe für Müller</p></html>".encode(), "Größe für Müller"),
        ("<html><meta charset=windows-1252><p>Счёт на оплату</p></html>".encode("cp1251"), "Счёт на оплату"),
        ("<html><meta http-equiv=Content-Type content='text/html; charset=x-sjis'><p>請求書①</html>".encode("cp932"),
         "請求書①"),
    ],
)  # fmt: skip
def test_the_charset_of_html_is_read_as_browsers_do_and_doubted_where_it_cannot_be(
    extract: Extract, content: bytes, text: str
) -> None:
    assert extract(content) == text + "\n"
