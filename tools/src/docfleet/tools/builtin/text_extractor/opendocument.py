"""OpenDocument: texts, spreadsheets, slides and drawings, in an archive or as one flat file of XML."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import (
    MIB,
    SEND_AGAIN,
    Document,
    ReadOptions,
    check_archive,
    reading_of,
)
from docfleet.tools.builtin.text_extractor.opendocument_lists import Lists
from docfleet.tools.builtin.text_extractor.opendocument_names import NAMESPACES, attribute, count, name_of

_WHAT = "the OpenDocument file"
# What stands in a document and is no part of its text.
_SKIPPED = {
    "text:tracked-changes",
    "table:tracked-changes",
    "table:content-validations",
    "office:binary-data",
    "office:scripts",
    "office:event-listeners",
    "office:change-info",
    "office:settings",
    "svg:title",
    "svg:desc",
    "text:note-citation",
    "text:ruby-text",
    "draw:object",
    "draw:object-ole",
    "draw:applet",
    "draw:plugin",
}
_PARAGRAPHS = {"text:p", "text:h"}
# Stand within a paragraph and are blocks of their own.
_ASIDES = {"text:note", "office:annotation"}
_ROWS = {"table:table-row"}
_CELLS = {"table:table-cell", "table:covered-table-cell"}
_VALUES = ("office:string-value", "office:date-value", "office:time-value", "office:boolean-value", "office:value")
_TYPED_IN = {"form:text", "form:textarea", "form:formatted-text", "form:number", "form:date", "form:time"}
_LABELLED = {"form:fixed-text", "form:checkbox", "form:radio", "form:button"}
_WHITE_SPACE = re.compile(r"[ \t\r\n]+")
_MAX_COLUMNS = 16_384
_MAX_ROWS = 1_048_576
# A line of a header that holds the number of the page and no more letters than this is no text of the document.
_PAGE_NUMBER_LETTERS = 12


def read_opendocument(path: Path, reading: ReadOptions) -> Document:
    """One page per sheet, slide or drawing, and one of a text: headers, paragraphs and table rows in order, notes and
    text boxes after the paragraph that holds them, footers."""
    content, styles = _parts(path, reading)
    with reading_of(_WHAT):
        body = content.find(".//office:body", NAMESPACES)
        kind = next((child for child in body if isinstance(child.tag, str)), None) if body is not None else None
        if kind is None:
            raise CorruptFile(f"{_WHAT} has no content: {SEND_AGAIN}")
        text = _Text(reading, Lists(content, styles))
        masters = _Masters(content, styles, text)
        name = name_of(kind)
        if name == "office:spreadsheet":
            return _sheets(kind, masters, text, reading)
        if name in ("office:presentation", "office:drawing"):
            return _slides(kind, masters, text, reading)
        lines = [*masters.lines("header"), *text.blocks(kind), *masters.lines("footer")]
        return Document.of_texts(["\n".join(lines)])


def _parts(path: Path, reading: ReadOptions) -> tuple[Any, Any]:
    """The roots of the content and of the styles; of a flat file both are the same."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with path.open("rb") as stream:
        is_flat = stream.read(2) != b"PK"
    if is_flat:
        with reading_of(_WHAT, etree.XMLSyntaxError):
            root = etree.parse(str(path), parser).getroot()
        return root, root
    check_archive(path, _WHAT, reading)
    with reading_of(_WHAT, etree.XMLSyntaxError), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise PasswordRequired(
                "password required: the document is encrypted; remove the password and send it again"
            )
        content = etree.fromstring(archive.read("content.xml"), parser)
        styles = etree.fromstring(archive.read("styles.xml"), parser) if "styles.xml" in names else content
    return content, styles


def _sheets(book: Any, masters: _Masters, text: _Text, reading: ReadOptions) -> Document:
    tables = book.findall("table:table", NAMESPACES)
    _check_pages(len(tables), "sheets", reading)
    names = [attribute(table, "table:name") for table in tables]
    pages = []
    frame = masters.lines("header") + masters.lines("footer")
    for name, table in zip(names, tables, strict=True):
        rows = list(text.blocks(table))
        pages.append("\n".join([f"Sheet: {name}", *(rows or ["[this sheet has no cells with content]"])]))
        reading.progress(len(pages), len(tables))
    if frame and pages:
        pages[0] = "\n".join([pages[0], *frame])
    return Document.of_texts(pages, {"sheets": names})


def _slides(slides: Any, masters: _Masters, text: _Text, reading: ReadOptions) -> Document:
    shown = slides.findall("draw:page", NAMESPACES)
    _check_pages(len(shown), "slides", reading)
    declared = {
        attribute(each, "presentation:name"): "".join(each.itertext()).strip()
        for each in slides.iterchildren(f"{{{NAMESPACES['presentation']}}}footer-decl")
    }
    pages: list[str] = []
    used: set[str] = set()
    for slide in shown:
        lines = list(text.blocks(slide))
        repeated = [
            *masters.shapes(attribute(slide, "draw:master-page-name")),
            declared.get(attribute(slide, "presentation:use-footer-name"), ""),
        ]
        lines += [line for line in repeated if line and line not in used]
        used.update(repeated)
        pages.append("\n".join(lines))
        reading.progress(len(pages), len(shown))
    return Document.of_texts(pages, {"slides": len(pages)})


def _check_pages(count: int, what: str, reading: ReadOptions) -> None:
    if count > reading.max_pages:
        raise FileTooLarge(f"there are {count} {what}, the limit is {reading.max_pages} (max_pages)")


class _Text:
    """Lines of text of elements."""

    def __init__(self, reading: ReadOptions, lists: Lists) -> None:
        self._lists = lists
        self._limit = reading.max_expanded_bytes
        self._size = 0

    def blocks(self, parent: Any) -> Iterator[str]:
        """Lines of the blocks within an element, in order."""
        for node in parent:
            name = name_of(node)
            if name in _SKIPPED or name.endswith("-source") or _is_placeholder(node):
                continue
            if name in _PARAGRAPHS:
                yield from _labelled(self._lists.heading(node) if name == "text:h" else "", self._paragraph(node))
            elif name == "text:list":
                yield from self._list(node)
            elif name in _ROWS:
                yield from self._row(node)
            elif name == "presentation:notes":
                yield from (f"Notes: {line}" for line in self.blocks(node) if line.strip())
            elif name in _TYPED_IN or name in _LABELLED:
                yield from _control_lines(node, name)
            elif name == "text:number":
                yield (node.text or "").strip()
            elif len(node):
                yield from self.blocks(node)

    def _paragraph(self, node: Any) -> Iterator[str]:
        asides: list[Any] = []
        text = "".join(self._inline(node, asides))
        yield from (line.strip(" ") for line in text.split("\n"))
        yield from self.blocks(asides)

    def _list(self, node: Any, style: str = "", level: int = 1, counts: dict[int, int] | None = None) -> Iterator[str]:
        style = attribute(node, "text:style-name") or style
        if counts is None:
            counts = self._lists.begin(node, style)
        for item in node:
            label = self._lists.label(item, style, level, counts) if name_of(item) == "text:list-item" else ""
            for part in item:
                if name_of(part) == "text:list":
                    yield from self._list(part, style, level + 1, counts)
                else:
                    yield from _labelled(label, self.blocks([part]))
                    label = ""

    def _inline(self, node: Any, asides: list[Any]) -> Iterator[str]:
        if node.text:
            yield _WHITE_SPACE.sub(" ", node.text)
        for child in node:
            name = name_of(child)
            if name == "text:s":
                yield " " * min(count(child, "text:c"), 100)
            elif name == "text:tab":
                yield "\t"
            elif name == "text:line-break":
                yield "\n"
            elif name in _ASIDES or (name.startswith("draw:") and name != "draw:a"):
                asides.append(child)
            elif name and name not in _SKIPPED and attribute(child, "text:is-hidden") != "true":
                yield from self._inline(child, asides)
            if child.tail:
                yield _WHITE_SPACE.sub(" ", child.tail)

    def _row(self, row: Any) -> Iterator[str]:
        cells: list[str] = []
        asides: list[Any] = []
        empty = 0
        for cell in row:
            if name_of(cell) not in _CELLS:
                continue
            value = self._cell(cell, asides)
            times = min(count(cell, "table:number-columns-repeated"), _MAX_COLUMNS)
            if not value:
                empty += times
                continue
            cells.extend([""] * min(empty, _MAX_COLUMNS))
            cells.extend([value] * times)
            empty = 0
        line = "\t".join(cells)
        if line:
            times = min(count(row, "table:number-rows-repeated"), _MAX_ROWS)
            self._size += (len(line) + 1) * times
            if self._size > self._limit:
                raise FileTooLarge(
                    f"{_WHAT} repeats rows to more than {self._limit // MIB} MiB of text, which looks like a bomb;"
                    " raise max_expanded_megabytes if it is intended"
                )
            yield from [line] * times
        yield from self.blocks(asides)

    def _cell(self, cell: Any, asides: list[Any]) -> str:
        notes = [child for child in cell if name_of(child) in _ASIDES]
        asides.extend(notes)
        lines = self.blocks([child for child in cell if child not in notes])
        text = " ".join(" ".join(lines).split())
        return text or next((value for name in _VALUES if (value := attribute(cell, name))), "")


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines, with the label before the first one that has text."""
    for line in lines:
        yield f"{label} {line}" if label and line.strip() else line
        if line.strip():
            label = ""


def _is_placeholder(node: Any) -> bool:
    return name_of(node).startswith("draw:") and attribute(node, "presentation:placeholder") == "true"


def _control_lines(node: Any, name: str) -> Iterator[str]:
    names = ("form:label",) if name in _LABELLED else ("form:current-value", "form:value")
    value = next((value for each in names if (value := attribute(node, each))), "")
    if value:
        yield value


class _Masters:
    """The pages that a document lays its own on: what they show is the same on each."""

    def __init__(self, content: Any, styles: Any, text: _Text) -> None:
        self._text = text
        masters = styles.findall(".//office:master-styles/style:master-page", NAMESPACES)
        self._named = {attribute(master, "style:name"): master for master in masters}
        self._used = list(self._uses(content))

    def _uses(self, content: Any) -> Iterator[Any]:
        names = [
            name
            for style in content.iterfind(".//office:automatic-styles/style:style", NAMESPACES)
            if (name := attribute(style, "style:master-page-name"))
        ]
        pending = [*names, "Standard" if "Standard" in self._named else next(iter(self._named), "")]
        seen: set[str] = set()
        while pending:
            name = pending.pop(0)
            if name in seen or name not in self._named:
                continue
            seen.add(name)
            yield self._named[name]
            pending.append(attribute(self._named[name], "style:next-style-name"))

    def lines(self, part: str) -> list[str]:
        """The lines of all headers or footers, each once."""
        lines: dict[str, None] = {}
        for master in self._used:
            for node in master:
                name = name_of(node)
                if name.startswith(f"style:{part}") and attribute(node, "style:display") != "false":
                    blocks: Iterable[str] = self._text.blocks([child for child in node if not _is_page_number(child)])
                    lines.update(dict.fromkeys(line for line in blocks if line.strip()))
        return list(lines)

    def shapes(self, name: str) -> list[str]:
        """The lines of what stands on a master of slides, apart from places for content."""
        master = self._named.get(name)
        own = [
            child
            for child in ([] if master is None else master)
            if name_of(child).startswith("draw:") and not attribute(child, "presentation:class")
        ]
        return [line for line in self._text.blocks(own) if line.strip()]


def _is_page_number(node: Any) -> bool:
    if not node.findall(".//text:page-number", NAMESPACES) and not node.findall(".//text:sheet-name", NAMESPACES):
        return False
    return sum(letter.isalnum() for letter in "".join(node.itertext())) <= _PAGE_NUMBER_LETTERS
