"""The text of one part of a Word document: the body, a header, a note."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from docfleet.tools.builtin.text_extractor.openxml.binding import Bindings
from docfleet.tools.builtin.text_extractor.openxml.drawing import drawn
from docfleet.tools.builtin.text_extractor.openxml.equation import equation_text
from docfleet.tools.builtin.text_extractor.openxml.numbering import Numbering
from docfleet.tools.builtin.text_extractor.openxml.package import (
    CX,
    DGM,
    A,
    C,
    Element,
    M,
    Package,
    V,
    W,
    is_on,
    number,
    text_of,
)
from docfleet.tools.builtin.text_extractor.openxml.styles import Styles, hides
from docfleet.tools.builtin.text_extractor.openxml.symbols import symbol, unicode_text

_VALUE = W + "val"
_BREAKS = {
    W + "tab": "\t", W + "ptab": "\t", W + "br": "\n", W + "cr": "\n", W + "noBreakHyphen": "-",
}  # fmt: skip
# What was taken away, and what describes the rest.
_GONE = {W + name for name in ("del", "moveFrom", "rPr", "pPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid", "instrText")}
_DRAWINGS = {W + "drawing", W + "pict", W + "object"}
_NOTES = {W + "footnoteReference": "footnote", W + "endnoteReference": "endnote"}
_DRAWN = {C + "chart", CX + "chart", DGM + "relIds", A + "tbl", A + "txBody"}
_CHECKED, _UNCHECKED = "☒", "☐"


@dataclass(slots=True)
class Notes:
    """The notes that the text refers to, by kind and id, in the order of their marks."""

    marks: dict[tuple[str, str], str] = field(default_factory=dict)

    def mark(self, kind: str, name: str) -> str:
        """What stands in the text for this note."""
        count = sum(each == kind for each, _ in self.marks) + 1
        return self.marks.setdefault((kind, name), f"[{count}]" if kind == "footnote" else f"[e{count}]")


@dataclass(slots=True)
class Context:
    """What all parts of a document share. ``merge`` reads a merged-in document: the part to its lines."""

    package: Package
    styles: Styles
    numbering: Numbering
    bindings: Bindings
    notes: Notes
    merge: Callable[[str], list[str]]


@dataclass(slots=True)
class _Field:
    """A field that is open: its instruction first, then its result."""

    choice: str = ""
    is_result: bool = False
    has_text: bool = False


class Story:
    """The lines of one part, in order. Deleted, moved-away and hidden text is left out, instructions of fields, too."""

    def __init__(self, context: Context, part: str) -> None:
        self._context = context
        self._part = part
        self._fields: list[_Field] = []
        self._boxes: list[str] = []
        self._is_hidden = False
        self._instructions_count = False

    def lines(self, root: Element) -> list[str]:
        """The lines below ``root``."""
        before = self._context.numbering.state()
        lines = list(self._blocks(root))
        if any(not each.is_result for each in self._fields):
            # A field that never ends would swallow the rest.
            self._context.numbering.restore(before)
            self._fields.clear()
            self._instructions_count = True
            lines = list(self._blocks(root))
        return lines

    def _blocks(self, container: Element) -> Iterator[str]:
        kept = ""  # of paragraphs whose end was deleted: their text goes on in the next one
        for block in _flat(container, W + "p", W + "tbl", W + "altChunk"):
            if block.tag == W + "p":
                text, boxes, is_open = self._paragraph(block, kept)
                kept = text if is_open else ""
                if not is_open:
                    yield from text.split("\n")
                yield from boxes
                continue
            if kept:
                yield kept
                kept = ""
            if block.tag == W + "tbl":
                yield from self._table(block)
            else:
                target = self._context.package.taken(self._context.package.target(self._part, block))
                yield from [] if target is None else self._context.merge(target)
        if kept:
            yield kept

    def _paragraph(self, paragraph: Element, before: str) -> tuple[str, list[str], bool]:
        """Its text after ``before``, the lines of its text boxes, and whether it goes on in the next paragraph."""
        properties = paragraph.find(W + "pPr")
        style = self._context.styles.default
        is_open = False
        if properties is not None:
            named = properties.find(W + "pStyle")
            style = style if named is None else named.get(_VALUE, "")
            mark = properties.find(W + "rPr")
            is_open = mark is not None and (
                mark.find(W + "del") is not None or mark.find(W + "moveFrom") is not None or bool(hides(mark))
            )
        outer_boxes, self._boxes = self._boxes, []
        outer_hidden, self._is_hidden = self._is_hidden, self._context.styles.is_hidden(style)
        text = before + "".join(self._inline(paragraph)).replace("\xad", "")
        boxes, self._boxes = self._boxes, outer_boxes
        is_hidden, self._is_hidden = self._is_hidden, outer_hidden
        if not is_open and not (is_hidden and not text):
            label, is_bullet = self._context.numbering.label(paragraph, style)
            if label and (text.strip() or not is_bullet):
                text = label + text
        return text, boxes, is_open or (is_hidden and not text)

    def _inline(self, node: Element) -> Iterator[str]:
        for child in node.iterchildren("{*}*"):
            tag = child.tag
            if tag == W + "r":
                yield from self._run(child)
            elif tag == W + "sdt":
                yield from self._control(child)
            elif tag.startswith(M):
                yield self._visible(equation_text(child))
            elif tag not in _GONE:
                yield from self._inline(child)

    def _control(self, control: Element) -> Iterator[str]:
        content = control.find(W + "sdtContent")
        bound = self._context.bindings.text(control)
        text = [] if content is None else list(self._inline(content))
        yield from text if bound is None else [self._visible(bound)]

    def _run(self, run: Element) -> Iterator[str]:
        properties = run.find(W + "rPr")
        font = ""
        outer = self._is_hidden
        if properties is not None:
            self._is_hidden = self._hides(properties)
            fonts = properties.find(W + "rFonts")
            font = "" if fonts is None else fonts.get(W + "ascii", "") or fonts.get(W + "hAnsi", "")
        for child in run.iterchildren("{*}*"):
            yield from self._content(child, font)
        self._is_hidden = outer

    def _hides(self, properties: Element) -> bool:
        own = hides(properties)
        named = properties.find(W + "rStyle")
        of_style = named is not None and self._context.styles.is_hidden(named.get(_VALUE, ""))
        return own if own is not None else (of_style or self._is_hidden)

    def _content(self, child: Element, font: str) -> Iterator[str]:
        tag = child.tag
        if tag == W + "t":
            yield self._visible(unicode_text(text_of(child), font))
        elif tag in _BREAKS:
            yield self._visible(_BREAKS[tag])
        elif tag == W + "fldChar":
            yield self._visible(self._field(child))
        elif tag == W + "sym":
            yield self._visible(_symbol(child))
        elif tag in _NOTES:
            if self._visible("x"):
                has_own_mark = is_on(child, W + "customMarkFollows") and W + "customMarkFollows" in child.attrib
                mark = self._context.notes.mark(_NOTES[tag], child.get(W + "id", ""))
                yield "" if has_own_mark else mark
        elif tag in _DRAWINGS:
            if self._visible("x"):
                self._boxes += self._drawing(child)
        elif tag == W + "ruby":
            base, guide = child.find(W + "rubyBase"), child.find(W + "rt")
            yield from [] if base is None else self._inline(base)
            over = "" if guide is None else "".join(self._inline(guide))
            yield f"({over})" if over else ""
        elif tag.startswith(M):
            yield self._visible(equation_text(child))

    def _visible(self, text: str) -> str:
        is_instruction = not self._instructions_count and any(not each.is_result for each in self._fields)
        if self._is_hidden or is_instruction:
            return ""
        if text:
            for each in self._fields:
                each.has_text = True
        return text

    def _field(self, mark: Element) -> str:
        """Follow a mark of a field; the text of a form field that keeps its value in the mark."""
        kind = mark.get(W + "fldCharType")
        if kind == "begin":
            self._fields.append(_Field(choice=_chosen(mark)))
        elif kind == "separate" and self._fields:
            self._fields[-1].is_result = True
        elif kind == "end" and self._fields:
            ended = self._fields.pop()
            return "" if ended.has_text else ended.choice
        return ""

    def _drawing(self, node: Element) -> Iterator[str]:
        """The lines of text boxes, charts, diagrams and word art below ``node``."""
        if node.tag == W + "txbxContent":
            outer, self._fields = self._fields, []
            yield from (line for line in self._blocks(node) if line.strip())
            self._fields = outer
        elif node.tag in _DRAWN:
            yield from (line for line in drawn(self._context.package, self._part, node) if line.strip())
        elif node.tag == V + "textpath":
            yield node.get("string", "")
        elif not _is_invisible(node):
            for child in node.iterchildren("{*}*"):
                yield from self._drawing(child)

    def _table(self, table: Element) -> Iterator[str]:
        """A line for each row, with tabs between the cells; a merged cell stands once, in its first place.

        A table with a table in it is a layout: its cells follow each other. So do the lines of a row of one cell.
        """
        is_layout = any(cell.find(W + "tbl") is not None for cell in table.iterfind(f".//{W}tc"))
        open_columns: set[int] = set()
        for row in _flat(table, W + "tr"):
            properties = row.find(W + "trPr")
            if properties is not None and (
                properties.find(W + "del") is not None or is_on(properties.find(W + "hidden"), _VALUE)
            ):
                continue
            cells, open_columns = self._cells(row, open_columns)
            filled = [lines for lines in cells if lines]
            if is_layout or len(cells) == 1:
                yield from (line for lines in filled for line in lines)
            else:
                joined = (" ".join(line.replace("\t", " ").strip() for line in lines) for lines in cells)
                yield "\t".join(joined).rstrip("\t")

    def _cells(self, row: Element, open_columns: set[int]) -> tuple[list[list[str]], set[int]]:
        """The lines of each column, and the columns whose cell reaches into the next row."""
        before = row.find(f"{W}trPr/{W}gridBefore")
        cells: list[list[str]] = [[] for _ in range(_span(before))] if before is not None else []
        reaching: set[int] = set()
        for cell in _flat(row, W + "tc"):
            properties = cell.find(W + "tcPr")
            down = across = span = None
            if properties is not None:
                if properties.find(W + "cellDel") is not None:
                    continue
                down, across = properties.find(W + "vMerge"), properties.find(W + "hMerge")
                span = properties.find(W + "gridSpan")
            at = len(cells)
            is_covered = (_continues(down) and at in open_columns) or (_continues(across) and at > 0)
            if down is not None:
                reaching.add(at)
            cells.append([] if is_covered else [line for line in self._blocks(cell) if line.strip()])
            cells.extend([] for _ in range(_span(span) - 1))
        return cells, reaching


def _flat(container: Element, *tags: str) -> Iterator[Element]:
    """The elements with these tags that a reader sees below ``container``, through content controls, insertions and the
    like."""
    for child in container.iterchildren("{*}*"):
        if child.tag in tags:
            yield child
        elif child.tag not in _GONE:
            yield from _flat(child, *tags)


def _continues(merge: Element | None) -> bool:
    return merge is not None and merge.get(_VALUE, "continue") != "restart"


def _span(element: Element | None) -> int:
    # Word has at most 63 columns.
    return 1 if element is None else min(max(number(element.get(_VALUE), 1), 0), 63)


def _symbol(element: Element) -> str:
    try:
        return symbol(int(element.get(W + "char", ""), 16), element.get(W + "font", ""))
    except ValueError:
        return ""


def _chosen(mark: Element) -> str:
    """The value that a check box or a list of a form keeps in its field."""
    data = mark.find(W + "ffData")
    if data is None:
        return ""
    box = data.find(W + "checkBox")
    if box is not None:
        state = box.find(W + "checked") if box.find(W + "checked") is not None else box.find(W + "default")
        return _CHECKED if is_on(state, _VALUE) else _UNCHECKED
    entries = [entry.get(_VALUE, "") for entry in data.iterfind(f"{W}ddList/{W}listEntry")]
    result = data.find(f"{W}ddList/{W}result")
    at = 0 if result is None else number(result.get(_VALUE))
    return entries[at] if 0 <= at < len(entries) else ""


def _is_invisible(node: Element) -> bool:
    style = node.get("style", "").replace(" ", "").lower() if node.tag.startswith(V) else ""
    if "visibility:hidden" in style:
        return True
    properties = next(node.iterchildren("{*}docPr"), None)
    return properties is not None and "hidden" in properties.attrib and is_on(properties, "hidden")
