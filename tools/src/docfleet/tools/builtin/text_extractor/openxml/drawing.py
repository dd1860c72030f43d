"""What drawings hold in documents, sheets and slides alike: paragraphs, tables, charts, diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docfleet.tools.builtin.text_extractor.openxml.equation import equation_text
from docfleet.tools.builtin.text_extractor.openxml.number_format import shown
from docfleet.tools.builtin.text_extractor.openxml.numerals import numeral
from docfleet.tools.builtin.text_extractor.openxml.package import (
    CX,
    DGM,
    A,
    C,
    Element,
    M,
    Package,
    is_on,
    number,
    text_of,
)

_SCHEMES = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
_MAX_POINTS = 1_000_000


def paragraphs(body: Element) -> Iterator[str]:
    """The lines of a text body; numbers of lists as they are shown."""
    counts: dict[int, int] = {}
    for paragraph in body.iterchildren(A + "p"):
        text = "".join(_runs(paragraph)).replace("\xad", "")
        properties = paragraph.find(A + "pPr")
        level = 0 if properties is None else number(properties.get("lvl"))
        scheme = None if properties is None else properties.find(A + "buAutoNum")
        counts = {
            each: count for each, count in counts.items() if each < level or (each == level and scheme is not None)
        }
        if scheme is not None and text.strip():
            counts[level] = counts.get(level, number(scheme.get("startAt"), 1) - 1) + 1
            text = f"{_auto_number(scheme.get('type', ''), counts[level])} {text}"
        yield from text.split("\n")


def _runs(paragraph: Element) -> Iterator[str]:
    for child in paragraph.iterchildren("{*}*"):
        if child.tag in (A + "r", A + "fld"):
            text = child.find(A + "t")
            if text is not None:
                yield text_of(text).replace("\v", "\n").replace("_x000D_", "")
        elif child.tag == A + "br":
            yield "\n"
        elif child.tag.startswith(M):
            yield equation_text(child)
        elif child.tag not in (A + "pPr", A + "endParaRPr"):
            yield from _runs(child)


def _auto_number(scheme: str, count: int) -> str:
    name = next((name for name in _SCHEMES if scheme.startswith(name)), "arabic")
    text = numeral(count, _SCHEMES[name])
    if scheme.endswith("ParenBoth"):
        return f"({text})"
    return text + {"ParenR": ")", "Period": "."}.get(scheme.removeprefix(name), "")


def table_rows(table: Element) -> Iterator[str]:
    """Rows, with their cells separated by tabs; a merged cell stands once, in its first place."""
    for row in table.iterchildren(A + "tr"):
        cells: list[str] = []
        for cell in row.iterchildren(A + "tc"):
            is_covered = any(is_on(cell, side) for side in ("hMerge", "vMerge") if side in cell.attrib)
            body = None if is_covered else cell.find(A + "txBody")
            lines = [] if body is None else [line.replace("\t", " ").strip() for line in paragraphs(body)]
            cells.append(" ".join(filter(None, lines)))
        yield "\t".join(cells).rstrip("\t")


def drawn(package: Package, part: str, node: Element) -> Iterator[str]:
    """The lines of charts, diagrams, tables and texts anywhere below ``node``, an element of ``part``."""
    if node.tag in (C + "chart", CX + "chart"):
        yield from chart_lines(package.xml_if_sound(package.taken(package.target(part, node))))
    elif node.tag == DGM + "relIds":
        yield from diagram_lines(package.xml_if_sound(package.taken(package.target(part, node, "dm"))))
    elif node.tag == A + "tbl":
        yield from table_rows(node)
    elif node.tag.endswith("}txBody"):
        yield from paragraphs(node)
    elif not _is_hidden(node):
        for child in node.iterchildren("{*}*"):
            yield from drawn(package, part, child)


def _is_hidden(node: Element) -> bool:
    """Whether a shape's first properties say that it is not shown."""
    return any(
        "hidden" in properties.attrib and is_on(properties, "hidden")
        for holder in node.iterchildren(
            "{*}nvSpPr", "{*}nvGrpSpPr", "{*}nvGraphicFramePr", "{*}nvPicPr", "{*}nvCxnSpPr"
        )
        for properties in holder.iterchildren("{*}cNvPr")
    )


def chart_lines(root: Element | None) -> Iterator[str]:
    """Titles, then a table: a row for each category, a column for each series. Its cells are filled where the chart
    writes the values out; elsewhere it draws them, and the words are all that can be read."""
    if root is None:
        return
    if root.tag.startswith(CX):
        yield from _new_chart_lines(root)
        return
    for title in root.iter(C + "title"):
        lines = [line for body in title.iter(C + "rich") for line in paragraphs(body)] or [*_points(title).values()]
        yield from filter(str.strip, lines)
    is_written = any(is_on(label, "val") for label in root.iter(C + "showVal")) or any(
        True for _ in root.iter(C + "dTable")
    )
    categories: dict[int, str] = {}
    names: list[str] = []
    columns: list[dict[int, str]] = []
    for series in root.iter(C + "ser"):
        names.append(_name(series))
        categories = _column(series, "cat", "xVal" if is_written else "cat") | categories
        columns.append(_column(series, "val", "yVal") if is_written else {})
    if any(names):
        yield "\t".join(["", *names]) if is_written else "\t".join(filter(None, names))
    rows = sorted({*categories, *(row for values in columns for row in values)})
    for row in rows[: _MAX_POINTS // max(len(columns), 1)]:
        yield "\t".join([categories.get(row, ""), *(values.get(row, "") for values in columns)]).rstrip("\t")


def _name(series: Element) -> str:
    name = series.find(C + "tx")
    return "" if name is None else " ".join([*_points(name).values()] or filter(None, map(_value, name)))


def _value(node: Element) -> str:
    return text_of(node).strip() if node.tag == C + "v" else ""


def _column(series: Element, *names: str) -> dict[int, str]:
    node = next((found for name in names if (found := series.find(C + name)) is not None), None)
    return {} if node is None else _points(node)


def _points(node: Element) -> dict[int, str]:
    """The cached values by their position; levels of categories are joined."""
    points: dict[int, str] = {}
    for cache in node.iter(C + "strCache", C + "strLit", C + "numCache", C + "numLit", C + "lvl"):
        code = cache.findtext(C + "formatCode") or "General"
        for point in cache.iterchildren(C + "pt"):
            text = " ".join((point.findtext(C + "v") or "").split())
            if cache.tag in (C + "numCache", C + "numLit"):
                text = _number_shown(text, point.get("formatCode") or code)
            at = number(point.get("idx"))
            points[at] = f"{text} {points[at]}" if at in points else text
    return points


def _number_shown(text: str, code: str) -> str:
    try:
        return shown(float(text), code)
    except ValueError:
        return text


def _new_chart_lines(root: Element) -> Iterator[str]:
    for body in root.iter(CX + "rich"):
        yield from filter(str.strip, paragraphs(body))
    for dimension in root.iter(CX + "strDim", CX + "numDim"):
        for level in dimension.iterchildren(CX + "lvl"):
            cells = [" ".join(text_of(point).split()) for point in level.iterchildren(CX + "pt")]
            if any(cells):
                yield "\t".join(cells)


def diagram_lines(root: Element | None) -> Iterator[str]:
    """The texts of a SmartArt diagram, in the order of its tree."""
    if root is None:
        return
    points: dict[str, Element] = {point.get("modelId", ""): point for point in root.iter(DGM + "pt")}
    below: dict[str, list[tuple[int, str]]] = {}
    for connection in root.iter(DGM + "cxn"):
        if connection.get("type", "parOf") == "parOf":
            place = (number(connection.get("srcOrd")), connection.get("destId", ""))
            below.setdefault(connection.get("srcId", ""), []).append(place)
    documents = [name for name, point in points.items() if point.get("type") == "doc"]
    pending = [*reversed(points), *documents]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen or name not in points:
            continue
        seen.add(name)
        pending.extend(child for _, child in sorted(below.get(name, ()), reverse=True))
        point = points[name]
        if point.get("type", "node") in ("node", "asst", "doc"):
            yield from _texts(point.iterchildren(DGM + "t"))


def _texts(bodies: Iterable[Element]) -> Iterator[str]:
    for body in bodies:
        yield from filter(str.strip, paragraphs(body))
