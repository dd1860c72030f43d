"""HTML, EPUB and RTF."""

from __future__ import annotations

import posixpath
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import MIB, Document, Reading, check_archive, reading_of
from docfleet.tools.sdk.text import decode_text

_HIDDEN = ("script", "style", "noscript", "template", "head", "svg")
_BLOCKS = {
    "address",
    "article",
    "aside",
    "blockquote",
    "div",
    "dd",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
}


_MAX_DEPTH = 2000


def read_html(path: Path, _reading: Reading) -> Document:
    """The visible text; cells of one table row share a line."""
    raw = path.read_bytes()
    title, text = html_text(raw)
    return Document.of_texts([text], {"title": title} if title else {})


def html_text(content: str | bytes) -> tuple[str, str]:
    """Title and visible text of an HTML document; bytes are decoded by what the document declares."""
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    with reading_of("the HTML", ParserRejectedMarkup), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bs4 warns when the markup looks like a file name or like XML
        soup = BeautifulSoup(content, "lxml")
    _check_depth(soup)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    lines = (re.sub(r"[ \xa0\r\f\v]+", " ", line).strip() for line in "".join(_pieces(soup)).split("\n"))
    return title, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _pieces(soup: Any) -> Iterator[str]:
    """The visible text in order, with the line ends and tabs that its tags stand for.

    In one pass that changes nothing: each change of a tree of siblings takes as long as there are siblings.
    """
    from bs4.element import CData, NavigableString

    pending: list[Any] = [soup]
    while pending:
        node = pending.pop()
        if type(node) is str:  # what stands at the end of a tag
            yield node
        elif isinstance(node, NavigableString):
            if type(node) in (NavigableString, CData):  # the others are comments, scripts and the like
                yield node
        elif node.name == "br":
            yield "\n"
        elif node.name not in _HIDDEN:
            if node.name in ("td", "th"):
                pending.append("\t")
            elif node.name in _BLOCKS:
                # A table laid out inside a cell still breaks lines; a block that is a cell's only content does not.
                is_in_cell = node.name in ("p", "div") and node.parent is not None and node.parent.name in ("td", "th")
                pending.append(" " if is_in_cell else "\n")
                if not is_in_cell:
                    yield "\n"
            pending.extend(reversed(node.contents))


def _check_depth(soup: Any) -> None:
    # The time of the next steps grows with the square of the depth.
    level = [soup]
    for _ in range(_MAX_DEPTH):
        level = [child for tag in level for child in tag.contents if hasattr(child, "contents")]
        if not level:
            return
    raise CorruptFile(f"the HTML is nested more than {_MAX_DEPTH} levels deep: it cannot be read; send a simpler one")


def read_rtf(path: Path, _reading: Reading) -> Document:
    """The text without its formatting."""
    from striprtf import striprtf

    # Untyped; it writes a bar after each cell of a table.
    to_text: Callable[..., str] = striprtf.rtf_to_text
    with reading_of("the RTF file"):
        return Document.of_texts([to_text(decode_text(path.read_bytes()), errors="replace").replace("|", "\t")])


def read_epub(path: Path, reading: Reading) -> Document:
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
