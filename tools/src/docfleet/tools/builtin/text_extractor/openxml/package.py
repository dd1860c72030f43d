"""A package of Office Open XML: parts, and the relationships between them."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from lxml import etree

from docfleet.core.errors import CorruptFile, FileTooLarge
from docfleet.tools.builtin.text_extractor.document import MIB, SEND_AGAIN, ReadOptions, check_archive, reading_of

Element = Any
"""An element of lxml, which has no types of its own."""

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
V = "{urn:schemas-microsoft-com:vml}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

# The namespaces of ISO 29500 Strict are those of the transitional variant under other addresses.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
_MAIN_PARTS = ("word/document.xml", "xl/workbook.xml", "ppt/presentation.xml")
_SAFE: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False}


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: ``kind`` is the last word of its type (``header``, ``chart``), ``target`` a part."""

    kind: str
    target: str


class Package:
    """An open package. Names of parts are compared without case, and with either slash, as Office does."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {_name(member.filename): member for member in archive.infolist()}
        self._relations: dict[str, dict[str, Relation]] = {}
        self._types: dict[str, str] | None = None
        self._taken: set[str] = set()

    def __contains__(self, part: str) -> bool:
        return _name(part) in self._members

    def read(self, part: str) -> bytes:
        """Its bytes. Raises ``KeyError``."""
        return self._archive.read(self._members[_name(part)])

    def open(self, part: str) -> IO[bytes]:
        """A stream of its bytes. Raises ``KeyError``."""
        return self._archive.open(self._members[_name(part)])

    def xml(self, part: str) -> Element:
        """The root of a part, in the namespaces of the transitional variant and without the alternatives that were not
        chosen. Raises ``KeyError`` and what lxml raises."""
        raw = self.read(part)
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raw = raw.decode("utf-16").encode("utf-8")
            parser = etree.XMLParser(encoding="utf-8", **_SAFE)
        else:
            parser = etree.XMLParser(**_SAFE)
        root = etree.fromstring(_STRICT.sub(_TRANSITIONAL, raw), parser)
        _choose(root)
        return root

    def xml_if_sound(self, part: str | None) -> Element | None:
        """The root of a part without which the text can be read, None if it is absent or damaged."""
        try:
            return None if part is None else self.xml(part)
        except (KeyError, etree.XMLSyntaxError):
            return None

    def taken(self, part: str | None) -> str | None:
        """``part`` the first time, None afterwards: a file of few bytes may name one drawing many times."""
        if part in self._taken:
            return None
        if part is not None:
            self._taken.add(part)
        return part

    def relations(self, part: str) -> dict[str, Relation]:
        """What ``part`` refers to inside of the package, by id; "" is the package."""
        if part not in self._relations:
            folder, base = posixpath.split(part)
            found: dict[str, Relation] = {}
            root = self.xml_if_sound(posixpath.join(folder, "_rels", f"{base}.rels"))
            for relation in () if root is None else root.iterchildren("{*}Relationship"):
                target = _name(relation.get("Target", ""))
                if relation.get("TargetMode") == "External" or not target:
                    continue
                is_absolute = relation.get("Target", "")[:1] in ("/", "\\")
                name = target if is_absolute else posixpath.normpath(posixpath.join(folder, target))
                kind = relation.get("Type", "").rpartition("/")[2]
                found[relation.get("Id", "")] = Relation(kind, name)
            self._relations[part] = found
        return self._relations[part]

    def related(self, part: str, kind: str) -> str | None:
        """The first part of this kind that ``part`` refers to, if it exists."""
        return next(self.all_related(part, kind), None)

    def all_related(self, part: str, kind: str) -> Iterator[str]:
        """Every part of this kind that ``part`` refers to, if it exists."""
        wanted = kind.lower()
        for relation in self.relations(part).values():
            if relation.kind.lower() == wanted and relation.target in self:
                yield relation.target

    def target(self, part: str, element: Element, attribute: str = "id") -> str | None:
        """The part that an element of ``part`` refers to by ``r:id``, if it exists."""
        relation = self.relations(part).get(element.get(R + attribute, ""))
        return relation.target if relation is not None and relation.target in self else None

    def content_type(self, part: str) -> str:
        """As the package declares it, "" if it does not."""
        if self._types is None:
            self._types = {}
            root = self.xml_if_sound("[Content_Types].xml")
            for entry in () if root is None else root.iterchildren("{*}Override", "{*}Default"):
                key = entry.get("PartName") or "*." + entry.get("Extension", "")
                self._types[_name(key)] = entry.get("ContentType", "").lower()
        name = _name(part)
        return self._types.get(name) or self._types.get("*." + name.rpartition(".")[2], "")

    def main(self) -> str:
        """The main part. Raises ``CorruptFile``."""
        self.content_type("")
        declared = [name for name, kind in (self._types or {}).items() if kind.endswith(".main+xml")]
        related = [*self.all_related("", "officeDocument")]
        for name in (*related, *declared, *_MAIN_PARTS):
            if name in self:
                return name
        raise CorruptFile(f"the office document lacks its main part, so it cannot be read: {SEND_AGAIN}")

    def properties(self) -> dict[str, str]:
        """Title and author, where they are known."""
        root = self.xml_if_sound(self.related("", "core-properties") or "docProps/core.xml")
        found = (
            {} if root is None else {etree.QName(child).localname: child.text for child in root.iterchildren("{*}*")}
        )
        named = {"title": found.get("title"), "author": found.get("creator")}
        return {key: value for key, value in named.items() if value}


@contextmanager
def opened(path: Path, what: str, reading: ReadOptions) -> Iterator[Package]:
    """The package at ``path``. Raises ``CorruptFile``, ``FileTooLarge``, ``PasswordRequired``; what goes wrong inside
    means that ``what`` cannot be read."""
    check_archive(path, what, reading)
    with reading_of(what), zipfile.ZipFile(path) as archive:
        yield Package(archive)


class Budget:
    """How much text may come out of a file. Few bytes may be shown many times: a string of a workbook, a slide."""

    def __init__(self, what: str, reading: ReadOptions) -> None:
        self._what, self._limit = what, reading.max_expanded_bytes
        self._spent = 0

    def spend(self, size: int) -> None:
        """Count ``size`` characters. Raises ``FileTooLarge``."""
        self._spent += size
        if self._spent > self._limit:
            raise FileTooLarge(
                f"{self._what} shows more than {self._limit // MIB} MiB of text, which looks like a bomb;"
                " raise max_expanded_megabytes if it is intended"
            )


def elements(stream: IO[bytes], *names: str) -> Iterator[Element]:
    """Each element with one of these local names as it ends; it is emptied after its turn, so that a part of any size
    takes little memory."""
    for _, element in etree.iterparse(stream, tag=[f"{{*}}{name}" for name in names], **_SAFE):
        yield element
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]


def text_of(element: Element) -> str:
    """The text of an element without that of its children."""
    if len(element) == 0:
        return element.text or ""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def is_on(element: Element | None, attribute: str) -> bool:
    """Whether a property that needs no value (``<w:vanish/>``) is set."""
    return element is not None and element.get(attribute, "1").lower() not in ("0", "false", "off", "none")


def number(text: str | None, default: int = 0) -> int:
    """A whole number, ``default`` for what is none."""
    try:
        return int(text or "")
    except ValueError:
        return default


def _name(name: str) -> str:
    """A name of a part as it is compared."""
    return unquote(name).replace("\\", "/").lstrip("/").lower()


def _choose(root: Element) -> None:
    """Put in the place of each set of alternatives the one that holds the content: the choice of newer programs, unless
    only the fallback for older ones has text."""
    for alternatives in list(root.iter(f"{_MC}AlternateContent")):
        parent = alternatives.getparent()
        if parent is None:
            continue
        branches = [*alternatives.iterchildren(f"{_MC}Choice"), *alternatives.iterchildren(f"{_MC}Fallback")]
        chosen = next((branch for branch in branches if _has_content(branch)), None)
        at = parent.index(alternatives)
        if alternatives.tail and at:
            parent[at - 1].tail = (parent[at - 1].tail or "") + alternatives.tail
        parent[at : at + 1] = [] if chosen is None else list(chosen)


def _has_content(branch: Element) -> bool:
    return any(
        (node.tag.endswith("}t") and node.text) or any(key.startswith(R) for key in node.attrib)
        for node in branch.iter("{*}*")
    )
