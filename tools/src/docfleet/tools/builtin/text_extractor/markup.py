"""HTML and EPUB."""

from __future__ import annotations

import posixpath
import re
import warnings
import zipfile
from html.entities import html5, name2codepoint
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import MIB, Document, ReadOptions, check_archive, reading_of
from docfleet.tools.sdk.text import decode_text

# What no browser shows, apart from what a script would change.
_HIDDEN = {
    "script", "style", "template", "head", "title", "desc", "defs", "metadata", "symbol", "datalist", "audio", "video",
    "canvas", "frameset", "rp",
}  # fmt: skip
_NOT_SHOWN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "iframe", "legend", "li", "main", "menu", "nav", "noscript", "ol", "optgroup", "option", "p", "pre",
    "search", "section", "select", "summary", "svg", "table", "tbody", "text", "textarea", "tfoot", "thead", "title",
    "tr", "ul",
}  # fmt: skip
# Blocks with a margin, so that a blank line stands between two of them.
_APART = {
    "blockquote", "dl", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul",
}  # fmt: skip
_WRITTEN_AS_IT_IS = {"pre", "textarea", "listing", "plaintext", "xmp"}
_TYPED = {"", "text", "number", "date", "datetime-local", "month", "week", "time", "email", "tel", "url"}
# A cell of more text is a column of the page's layout rather than a value in a table.
_CELL_CHARACTERS = 500
_WHITE_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]+;)")
# What nobody sees; numbers of characters from 128 to 159 mean windows-1252 in HTML.
_AS_SHOWN: dict[int, str | None] = dict.fromkeys([0xAD, 0x200B, 0xFEFF])
_AS_SHOWN |= {code: bytes([code]).decode("cp1252", "ignore") or None for code in range(0x80, 0xA0)}
# Neighbours of these kinds stand apart by their styles, without a space between them.
_CONTROLS = {"a", "button", "label"}


_MAX_DEPTH = 2000


def read_html(path: Path, _reading: ReadOptions) -> Document:
    """The visible text; cells of one table row share a line."""
    raw = path.read_bytes()
    title, text = html_text(raw)
    return Document.of_texts([text], {"title": title} if title else {})


def html_text(content: str | bytes, declared: str | None = None) -> tuple[str, str]:
    """Title and visible text of an HTML document; bytes are decoded by what is ``declared`` for it or in it."""
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector
    from bs4.exceptions import ParserRejectedMarkup

    if isinstance(content, bytes):
        content = decode_text(content, declared or EncodingDetector.find_declared_encoding(content, is_html=True))
    with reading_of("the HTML", ParserRejectedMarkup), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bs4 warns when the markup looks like a file name or like XML
        soup = BeautifulSoup(_ENTITY.sub(_character, content.replace("\0", "")), "lxml")
    _check_depth(soup)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    text = _Visible().text(soup).translate(_AS_SHOWN)
    lines = (re.sub(r"[ \xa0\r\f\v]+", " ", line).strip(" ").rstrip() for line in text.split("\n"))
    return title, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _character(entity: re.Match[str]) -> str:
    """The character of a name that HTML 5 added: the parser knows those before."""
    name = entity[1]
    text = "" if name[:-1] in name2codepoint else html5.get(name, "")
    return entity[0] if not text or text in "<>&\"'" else text


class _Visible:
    """The visible text of a tree in order, with the line ends and tabs that its tags stand for.

    In one pass that changes nothing: each change of a tree of siblings takes as long as there are siblings.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._cell: list[str] | None = None
        """The pieces of the innermost cell, until its end tells whether it holds a value or a part of the layout."""
        self._as_it_is = 0

    def text(self, soup: Any) -> str:
        from bs4.element import CData, NavigableString

        pending: list[Any] = [soup]
        while pending:
            node = pending.pop()
            if callable(node) and not hasattr(node, "contents"):
                node()
            elif isinstance(node, NavigableString):
                if type(node) in (NavigableString, CData):  # the others are comments, scripts and the like
                    self._write_text(node)
            elif node.name == "br":
                self._write("\n")
            elif not _is_hidden(node):
                self._open(node, pending)
                pending.extend(reversed(node.contents))
        return "".join(self._pieces)

    def _write(self, text: str) -> None:
        (self._pieces if self._cell is None else self._cell).append(text)

    def _write_text(self, text: str) -> None:
        pieces = self._pieces if self._cell is None else self._cell
        if not self._as_it_is:
            text = _WHITE_SPACE.sub(" ", text)
            if text == " " and pieces and pieces[-1].endswith(("\n", "\t")):
                return
        pieces.append(text)

    def _open(self, node: Any, pending: list[Any]) -> None:
        if node.name in ("td", "th"):
            self._flush()
            self._cell = []
            pending.append(self._end_cell)
        elif node.name in _BLOCKS:
            if node.name == "table":
                self._flush()
            end = self._end_apart if node.name in _APART else self._end_line
            end()
            pending.append(end)
        elif node.name in _CONTROLS and getattr(node.previous_sibling, "name", None) in _CONTROLS:
            self._write_text(" ")
        elif node.name == "input" and node.get("type", "").lower() in _TYPED and node.get("value"):
            self._write(f" {node['value']} ")
        if node.name in _WRITTEN_AS_IT_IS:
            self._as_it_is += 1
            pending.append(self._end_as_it_is)

    def _end_line(self) -> None:
        pieces = self._pieces if self._cell is None else self._cell
        if pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")

    def _end_apart(self) -> None:
        self._write("\n")

    def _flush(self) -> None:
        if self._cell is not None:
            self._pieces.extend(self._cell)
            self._cell = None

    def _end_cell(self) -> None:
        if self._cell is None:  # a table within has been written
            self._write("\n")
            return
        text = "".join(self._cell).strip()
        self._cell = None
        if len(text) <= _CELL_CHARACTERS:
            text = " ".join(text.split())
        self._write(text + "\t")

    def _end_as_it_is(self) -> None:
        self._as_it_is -= 1


def _is_hidden(node: Any) -> bool:
    return (
        node.name in _HIDDEN
        or (node.name != "[document]" and node.has_attr("hidden") and node["hidden"] != "until-found")
        or bool(_NOT_SHOWN.search(node.get("style", "")))
    )


def _check_depth(soup: Any) -> None:
    # The time of the next steps grows with the square of the depth.
    level = [soup]
    for _ in range(_MAX_DEPTH):
        level = [child for tag in level for child in tag.contents if hasattr(child, "contents")]
        if not level:
            return
    raise CorruptFile(f"the HTML is nested more than {_MAX_DEPTH} levels deep: it cannot be read; send a simpler one")


def read_epub(path: Path, reading: ReadOptions) -> Document:
    """One page per chapter, in the order of the spine."""
    check_archive(path, "the book", reading)
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)

    def parse(archive: zipfile.ZipFile, name: str) -> Any:
        return etree.fromstring(archive.read(name), parser)

    with reading_of("the book"), zipfile.ZipFile(path) as archive:
        if "META-INF/rights.xml" in archive.namelist():
            raise PasswordRequired("the book is protected (DRM): send an unprotected copy")
        package = str(parse(archive, "META-INF/container.xml").xpath("string(//*[local-name()='rootfile']/@full-path)"))
        book = parse(archive, package)
        targets = {item.get("id"): item.get("href") for item in book.xpath("//*[local-name()='item']")}
        chapters = book.xpath("//*[local-name()='itemref']/@idref")
        if len(chapters) > reading.max_pages:
            raise FileTooLarge(f"the book has {len(chapters)} chapters, the limit is {reading.max_pages} (max_pages)")
        pages: list[str] = []
        texts: dict[str, str] = {}  # a book of few bytes may name one chapter many times
        size = 0
        for reference in chapters:
            name = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(targets[reference])))
            if name not in texts:
                texts[name] = html_text(archive.read(name))[1]
            pages.append(texts[name])
            size += len(texts[name])
            if size > reading.max_expanded_bytes:
                raise FileTooLarge(
                    f"the book has more than {reading.max_expanded_bytes // MIB} MiB of text, which looks like a bomb;"
                    " raise max_expanded_megabytes if it is intended"
                )
            reading.progress(len(pages), len(chapters))
        title = str(book.xpath("string(//*[local-name()='title'])"))
    return Document.of_texts(pages, {"title": title} if title else {})
