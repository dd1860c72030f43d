"""Word documents, templates and their macro variants."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docfleet.core.errors import CorruptFile, PasswordRequired, UnsupportedFileType
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, ReadOptions
from docfleet.tools.builtin.text_extractor.openxml.binding import Bindings
from docfleet.tools.builtin.text_extractor.openxml.numbering import Numbering
from docfleet.tools.builtin.text_extractor.openxml.package import Budget, Element, Package, W, opened
from docfleet.tools.builtin.text_extractor.openxml.story import Context, Notes, Story
from docfleet.tools.builtin.text_extractor.openxml.styles import Styles
from docfleet.tools.sdk import media

_WHAT = "the Word document"
_MERGED_IN = (media.HTML, "application/xhtml+xml", media.EML, media.RTF, media.TXT, "application/xml", *media.WORD)
_UNREAD = "[a document merged into this one could not be read]"
_MAX_DEPTH = 3
_SEPARATORS = ("separator", "continuationSeparator", "continuationNotice")


def read_word(path: Path, reading: ReadOptions) -> Document:
    """The headers of all sections, the text with its tables and text boxes, notes, comments, and the footers. What
    several sections share is said once.

    Raises ``CorruptFile``, ``FileTooLarge``, ``PasswordRequired``.
    """
    return _read(path, reading, 0)


def _read(path: Path, reading: ReadOptions, depth: int) -> Document:
    with opened(path, _WHAT, reading) as package:
        main = package.main()
        styles = Styles(package.xml_if_sound(package.related(main, "styles")))
        numbering = Numbering(package.xml_if_sound(package.related(main, "numbering")), styles)

        def merge(part: str) -> list[str]:
            return _merged(package, part, reading, depth + 1)

        context = Context(package, styles, numbering, Bindings(package, main, Budget(_WHAT, reading)), Notes(), merge)
        root = package.xml(main)
        body = root.find(W + "body")
        if body is None:
            raise CorruptFile(f"{_WHAT} is damaged: its main part holds no text; {SEND_AGAIN}")
        lines = Story(context, main).lines(body)
        notes = [*_notes(context, main, "footnote"), *_notes(context, main, "endnote")]
        headers = _frame(context, main, root, "header")
        footers = _frame(context, main, root, "footer")
        text = "\n".join([*headers, *lines, *notes, *_comments(context, main), *footers])
        return Document.of_texts([text], dict(package.properties()))


def _frame(context: Context, main: str, root: Element, kind: str) -> list[str]:
    """The headers or footers of all sections: of the first page, of even pages, of the others."""
    parts = (context.package.target(main, reference) for reference in root.iter(f"{W}{kind}Reference"))
    blocks: dict[tuple[str, ...], None] = {}
    for part in dict.fromkeys(parts):
        if part is not None:
            lines = Story(context, part).lines(context.package.xml(part))
            blocks[tuple(line for line in lines if line.strip())] = None
    return [line for block in blocks for line in block]


def _notes(context: Context, main: str, kind: str) -> Iterator[str]:
    part = context.package.related(main, f"{kind}s")
    if part is None:
        return
    notes = {note.get(W + "id", ""): note for note in context.package.xml(part).iterchildren(W + kind)}
    for (each, name), mark in list(context.notes.marks.items()):
        note = notes.get(name) if each == kind else None
        if note is not None and note.get(W + "type") not in _SEPARATORS:
            text = "\n".join(line for line in Story(context, part).lines(note) if line.strip())
            yield f"{mark} {text.strip()}"


def _comments(context: Context, main: str) -> Iterator[str]:
    part = context.package.related(main, "comments")
    if part is None:
        return
    for comment in context.package.xml(part).iterchildren(W + "comment"):
        lines = Story(context, part).lines(comment)
        if text := " ".join(filter(None, map(str.strip, lines))):
            yield f"Comment: {text}"


def _merged(package: Package, part: str, reading: ReadOptions, depth: int) -> list[str]:
    """The lines of a merged-in document, which Word takes in when it opens this one."""
    if depth > _MAX_DEPTH:
        return [_UNREAD]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        path.write_bytes(package.read(part))
        mime = media.detect(path, part)
        try:
            if mime in media.WORD:
                return _read(path, reading, depth).text.splitlines()
            if mime in _MERGED_IN:
                # The table of readers names this module.
                tool = importlib.import_module("docfleet.tools.builtin.text_extractor.tool")
                document: Document = tool.reader_of(mime)(path, reading)
                return document.text.splitlines()
        except (CorruptFile, PasswordRequired, UnsupportedFileType):
            pass
    return [_UNREAD]
