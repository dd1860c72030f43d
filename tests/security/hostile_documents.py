"""Documents that are cut, damaged, locked or nested, of every format that the text extractor reads."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage

import docx
import openpyxl
import pptx
from odf.draw import Frame, Page, TextBox
from odf.opendocument import OpenDocumentPresentation, OpenDocumentSpreadsheet, OpenDocumentText
from odf.style import MasterPage, PageLayout
from odf.table import Table, TableCell, TableRow
from odf.text import P as Paragraph
from reportlab.lib.pdfencrypt import StandardEncryption

from tests.unit.tools.builtin.text_extractor.documents import message, pdf, picture, saved, zipped

CUTS = (0.02, 0.2, 0.5, 0.8, 0.97)
SEEDS = range(4)
DEEP = 20_000


def originals() -> dict[str, bytes]:
    """One good document of each format, by its suffix."""
    return {
        "pdf": pdf([(50, 700, "some words of a document")] * 20, [(50, 700, "page two")]),
        "docx": _docx(),
        "xlsx": _xlsx(),
        "pptx": _pptx(),
        "odt": _odt(),
        "ods": _ods(),
        "odp": _odp(),
        "epub": epub(["<html><body><p>words</p></body></html>"] * 3),
        "html": b"<html><head><title>t</title></head><body>" + b"<p>some <b>words</b></p>" * 50 + b"</body></html>",
        "rtf": b"{\\rtf1\\ansi " + b"some words \\b bold\\b0\\par " * 50 + b"}",
        "eml": _mail(),
        "csv": b"a;b;c\n" + b"1;2;3\n" * 50,
        "txt": "some words, größer\n".encode() * 50,
        "json": json.dumps({"a": ["b"] * 50}).encode(),
        "xml": b"<?xml version='1.0'?><a>" + b"<b>words</b>" * 50 + b"</a>",
        **{kind: picture("Harbour", kind.upper()) for kind in ("png", "jpeg", "tiff", "bmp", "gif", "webp")},
    }


def _docx() -> bytes:
    document = docx.Document()
    for number in range(20):
        document.add_paragraph(f"paragraph {number} of the document")
    document.add_table(2, 2).cell(0, 0).text = "a cell"
    return saved(document)


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in range(20):
        book.active.append([row, f"cell {row}", row / 7])
    return saved(book)


def _pptx() -> bytes:
    slides = pptx.Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = "a title"
    return saved(slides)


def _odt() -> bytes:
    text = OpenDocumentText()
    for number in range(20):
        text.text.addElement(Paragraph(text=f"paragraph {number}"))
    return saved(text)


def _ods() -> bytes:
    book = OpenDocumentSpreadsheet()
    table, row, cell = Table(name="t"), TableRow(), TableCell()
    cell.addElement(Paragraph(text="a cell"))
    row.addElement(cell)
    table.addElement(row)
    book.spreadsheet.addElement(table)
    return saved(book)


def _odp() -> bytes:
    slides = OpenDocumentPresentation()
    layout = PageLayout(name="l")
    slides.automaticstyles.addElement(layout)
    master = MasterPage(name="m", pagelayoutname=layout)
    slides.masterstyles.addElement(master)
    page, frame, box = Page(masterpagename=master), Frame(), TextBox()
    box.addElement(Paragraph(text="a title"))
    frame.addElement(box)
    page.addElement(frame)
    slides.presentation.addElement(page)
    return saved(slides)


def _mail() -> bytes:
    mail: EmailMessage = message(text="words of the mail\n" * 20)
    mail.add_alternative("<p>words of the <b>mail</b></p>", subtype="html")
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="a.pdf")
    return mail.as_bytes()


def epub(chapters: list[str], spine: list[int] | None = None) -> bytes:
    """A book; ``spine`` is the order of its chapters."""
    numbers = range(len(chapters))
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in numbers)
    order = "".join(f'<itemref idref="c{n}"/>' for n in (numbers if spine is None else spine))
    members = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>',
        "b.opf": f"<package><manifest>{items}</manifest><spine>{order}</spine></package>",
        **{f"c{n}.xhtml": text for n, text in enumerate(chapters)},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def cut(content: bytes, share: float) -> bytes:
    """The first part of it."""
    return content[: int(len(content) * share)]


def mutated(content: bytes, seed: int) -> bytes:
    """With some of its bytes replaced."""
    dice, changed = random.Random(seed), bytearray(content)
    for _ in range(4**seed):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def mutated_inside(content: bytes, seed: int) -> bytes:
    """A zip archive that is intact, with members that are not."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        for member in source.infolist():
            data = source.read(member)
            archive.writestr(member, data if member.filename == "mimetype" or not data else mutated(data, seed))
    return target.getvalue()


def without(content: bytes, member: str) -> bytes:
    """A zip archive without this member."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        for each in source.infolist():
            if each.filename != member:
                archive.writestr(each, source.read(each))
    return target.getvalue()


def with_member(content: bytes, member: str, data: bytes) -> bytes:
    """A zip archive with this content of ``member``."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        for each in source.infolist():
            archive.writestr(each, data if each.filename == member else source.read(each))
    return target.getvalue()


def locked_archive(content: bytes) -> bytes:
    """A zip archive whose members say that they are encrypted."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def damaged() -> Iterator[tuple[str, bytes]]:
    """Every format: cut, and with bytes replaced."""
    for suffix, content in originals().items():
        for share in CUTS:
            yield f"cut-{share:g}.{suffix}", cut(content, share)
        for seed in SEEDS:
            yield f"mutated-{seed}.{suffix}", mutated(content, seed)
            if content[:2] == b"PK":
                yield f"inside-{seed}.{suffix}", mutated_inside(content, seed)
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for number, member in enumerate(archive.namelist()):
                    yield f"without-{number}.{suffix}", without(content, member)
                    yield f"empty-{number}.{suffix}", with_member(content, member, b"")
                    yield f"other-{number}.{suffix}", with_member(content, member, b"<a><b/></a>")


def locked() -> Iterator[tuple[str, bytes]]:
    """With a password."""
    words = [(50, 700, "words")]
    for strength in (40, 128):
        key = StandardEncryption("user", "owner", strength=strength)
        yield f"locked-{strength}.pdf", pdf(words, encrypt=key)
    for suffix, content in originals().items():
        if content[:2] == b"PK":
            yield f"locked.{suffix}", locked_archive(content)
    manifest = b'<m:manifest xmlns:m="urn:x"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    yield "locked-inside.odt", with_member(_odt(), "META-INF/manifest.xml", manifest)
    yield "locked.zip", locked_archive(zipped(a=b"x"))
    yield "unknown-scheme.pdf", pdf(words, encrypt="x").replace(b"/Filter /Standard", b"/Filter /Nobodys")


def nested() -> Iterator[tuple[str, bytes]]:
    """With more levels than anybody needs."""
    body = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    table = "<w:tbl><w:tr><w:tc>"
    closed = table * 200 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 200
    yield "tables.docx", with_member(_docx(), "word/document.xml", f"{body}{closed}</w:body></w:document>".encode())
    sections = "<text:section>" * 3000 + "<text:p>x</text:p>" + "</text:section>" * 3000
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
        f"{sections}</office:text></office:body></office:document-content>"
    )
    yield "sections.odt", with_member(_odt(), "content.xml", content.encode())
    yield "arrays.json", b"[" * DEEP + b"]" * DEEP
    yield "objects.json", b'{"a":' * DEEP + b"1" + b"}" * DEEP
    yield "elements.xml", b"<a>" * DEEP + b"</a>" * DEEP
    yield "groups.rtf", b"{\\rtf1 " + b"{" * DEEP + b"x" + b"}" * DEEP + b"}"
    yield "chapter.epub", epub(["<div>" * DEEP + "x"])
    yield "tags.html", b"<html>" + b"<b>" * DEEP + b"x"
    mail = "From: a@b.c\nMIME-Version: 1.0\n" + "Content-Type: message/rfc822\n\n" * 3000 + "\nhello"
    yield "messages.eml", mail.encode()
    yield "arrays.pdf", pdf([(50, 700, "x")]).replace(b"/Rotate 0", b"/X " + b"[" * DEEP + b"]" * DEEP)


def odd() -> Iterator[tuple[str, bytes]]:
    """With values that no program writes."""
    good = pdf([(50, 700, "words")])
    for name, old, new in (
        ("no-pages", b"/Count 1", b"/Count 0"),
        ("no-box", b"/MediaBox [ 0 0 ", b"/MediaBox [ 0 0 0 0 ] /Y [ 0 0 "),
        ("huge-box", b"/MediaBox [ 0 0 ", b"/MediaBox [ -1e30 -1e30 1e30 1e30 ] /Y [ 0 0 "),
        ("no-catalog", b"/Type /Catalog", b"/Type /Cabinet"),
        ("no-root", b"/Root", b"/Tree"),
        ("own-parent", b"/Kids [ ", b"/Kids [ 3 0 R 4 0 R 2 0 R "),
    ):
        yield f"{name}.pdf", good.replace(old, new)
    yield "far-apart.pdf", pdf([(1e9, 700, "words"), (50, 700, "here"), (-1e9, 700, "there")])
    yield "head-only.pdf", b"%PDF-1.7\n"
    cells = b"<row><c r='XFD1048576' t='d'><v>99999-99-99</v></c><c r='A1' s='999'><v>1e400</v></c></row>"
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + cells
        + b"</sheetData></worksheet>"
    )
    yield "values.xlsx", with_member(_xlsx(), "xl/worksheets/sheet1.xml", sheet)
    for kind, width, height in (("png", 1, 1), ("png", 400, 40_000), ("png", 40_000, 50), ("gif", 1, 1), ("bmp", 3, 3)):
        yield f"{width}x{height}.{kind}", _blank(kind, width, height)
    yield "binary-name.zip", b"PK\x03\x04" + bytes(60)
    yield "ole.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    yield "ole.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
    yield "protocol.txt", b"*3\r\n$3\r\nSET\r\n\x00\x01\x02\x1b[31m" * 40
    yield "headers.eml", b"From: =?utf-8?b?" + b"A" * 5000 + b"?=\nSubject: =?x-unknown?q?=00=1b?=\nTo: <<<>>>,;:\n\nx"
    yield "charset.eml", b'From: a@b.c\nMIME-Version: 1.0\nContent-Type: text/plain; charset="\x00idna"\n\nx\x00y'
    yield "date.eml", b"From: a@b.c\nDate: Mon, 99 Foo 99999999999999999999 99:99:99 +999999999\n\nx"


def _blank(kind: str, width: int, height: int) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.new("L", (width, height), 255).save(target, kind.upper())
    return target.getvalue()


def hostile_documents() -> dict[str, bytes]:
    """All of them by name."""
    return dict((*damaged(), *locked(), *nested(), *odd()))
