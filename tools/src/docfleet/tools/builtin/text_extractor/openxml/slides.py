"""Presentations: the slides with their notes, charts, diagrams and comments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from docfleet.core.errors import CorruptFile, FileTooLarge
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, ReadOptions
from docfleet.tools.builtin.text_extractor.openxml.drawing import drawn, paragraphs
from docfleet.tools.builtin.text_extractor.openxml.package import A, Budget, Element, P, Package, is_on, number, opened

_WHAT = "the presentation"
_MISSING = "[this slide is missing in the file]"
# Shapes whose tops differ by less than this stand side by side: a tenth of an inch, in the units of Office.
_LINE = 91_440
_MAX_PLACEHOLDERS = 100
_SHAPES = tuple(P + name for name in ("sp", "grpSp", "graphicFrame", "pic", "cxnSp", "contentPart"))
_Place = tuple[int, int]


def read_slides(path: Path, reading: ReadOptions) -> Document:
    """One page per slide: shapes from top to bottom, then what its layout adds, the speaker's notes and comments.

    Raises ``CorruptFile``, ``FileTooLarge``, ``PasswordRequired``.
    """
    with opened(path, _WHAT, reading) as package:
        main = package.main()
        root = package.xml(main)
        if root.tag != P + "presentation":
            raise CorruptFile(f"{_WHAT} is damaged: its main part is none of a presentation; {SEND_AGAIN}")
        slides = [package.target(main, entry) for entry in root.iterfind(f"{P}sldIdLst/{P}sldId")]
        if slides and not any(slides):
            raise CorruptFile(f"the presentation lacks its slides, so it cannot be read: {SEND_AGAIN}")
        if len(slides) > reading.max_pages:
            raise FileTooLarge(f"there are {len(slides)} slides, the limit is {reading.max_pages} (max_pages)")
        pages: list[str] = []
        hidden: list[int] = []
        seen: set[str] = set()
        texts: dict[str | None, str] = {None: _MISSING}
        budget = Budget(_WHAT, reading)
        for slide in slides:
            if slide is not None and slide not in texts:
                root = package.xml(slide)
                if not is_on(root, "show"):
                    hidden.append(len(pages) + 1)
                texts[slide] = "\n".join(line for line in _lines(package, slide, root, seen) if line.strip())
            pages.append(texts[slide])
            budget.spend(len(texts[slide]))
            reading.progress(len(pages), len(slides))
    return Document.of_texts(pages, {"slides": len(pages)} | ({"hidden_slides": hidden} if hidden else {}))


def _lines(package: Package, slide: str, root: Element, seen: set[str]) -> Iterator[str]:
    layout = package.related(slide, "slideLayout")
    master = None if layout is None else package.related(layout, "slideMaster")
    layouts = [each for name in (layout, master) if name and (each := package.xml_if_sound(name)) is not None]
    tree = root.find(f"{P}cSld/{P}spTree")
    if tree is not None:
        yield from _shapes(package, slide, tree, layouts)
    for name, above in zip((layout, master), layouts, strict=False):
        # What the slides of a layout share is said once.
        if name is not None and name not in seen:
            seen.add(name)
            yield from _shared(package, name, above)
        if not is_on(above, "showMasterSp"):
            break
    notes = package.related(slide, "notesSlide")
    if notes is not None:
        yield from _notes(package.xml_if_sound(notes))
    for name in package.all_related(slide, "comments"):
        yield from _comments(package.xml_if_sound(name))


def _shapes(package: Package, part: str, tree: Element, layouts: list[Element]) -> Iterator[str]:
    placed = [(_place(shape, layouts), shape) for shape in tree.iterchildren(*_SHAPES)]
    for _, shape in sorted(placed, key=lambda pair: (pair[0][0] // _LINE, pair[0][1])):
        if shape.tag == P + "grpSp" and not _is_hidden(shape):
            yield from _shapes(package, part, shape, layouts)
        else:
            yield from drawn(package, part, shape)


def _is_hidden(group: Element) -> bool:
    properties = group.find(f"{P}nvGrpSpPr/{P}cNvPr")
    return properties is not None and "hidden" in properties.attrib and is_on(properties, "hidden")


def _place(shape: Element, layouts: list[Element]) -> _Place:
    """Top and left; a placeholder without a place of its own stands where its layout has it."""
    place = _own_place(shape)
    kind = _placeholder(shape)
    if place is None and kind is not None:
        for layout in layouts:
            for other in islice(layout.iter(P + "sp"), _MAX_PLACEHOLDERS):
                if place is None and _is_same(kind, _placeholder(other)):
                    place = _own_place(other)
    return place or (0, 0)


def _own_place(shape: Element) -> _Place | None:
    offset = next(shape.iterfind(f"./{{*}}xfrm/{A}off"), None)
    if offset is None:
        offset = next(shape.iterfind(f"./*/{A}xfrm/{A}off"), None)
    return None if offset is None else (number(offset.get("y")), number(offset.get("x")))


def _placeholder(shape: Element) -> tuple[str, str] | None:
    """Its kind and its number."""
    found = next(shape.iterfind(f"./*/{P}nvPr/{P}ph"), None)
    return None if found is None else (found.get("type", "obj"), found.get("idx", "0"))


def _is_same(one: tuple[str, str], other: tuple[str, str] | None) -> bool:
    if other is None:
        return False
    titles = ("title", "ctrTitle")
    bodies = ("obj", "body", "subTitle")
    return (
        (one[1] != "0" and one[1] == other[1])
        or (one[0] in titles and other[0] in titles)
        or (one[0] == other[0] and one[0] not in bodies)
        or (one[0] in bodies and other == ("body", "1"))
    )


def _shared(package: Package, part: str, root: Element) -> Iterator[str]:
    """The texts that stand on each slide of a layout: all but placeholders, which show nothing themselves."""
    for shape in root.iterfind(f"{P}cSld/{P}spTree/*"):
        if _placeholder(shape) is None:
            yield from drawn(package, part, shape)


def _notes(root: Element | None) -> Iterator[str]:
    lines = [
        line
        for shape in (() if root is None else root.iter(P + "sp"))
        if (_placeholder(shape) or ("", ""))[0] == "body"
        for body in shape.iterchildren(P + "txBody")
        for line in paragraphs(body)
    ]
    if text := "\n".join(lines).strip():
        yield f"Notes: {text}"


def _comments(root: Element | None) -> Iterator[str]:
    for comment in () if root is None else root.iter("{*}cm", "{*}reply"):
        own = [comment.findtext(P + "text") or ""]
        own += [line for body in comment.iterchildren("{*}txBody") for line in paragraphs(body)]
        if text := " ".join(" ".join(own).split()):
            yield f"Comment: {text}"
