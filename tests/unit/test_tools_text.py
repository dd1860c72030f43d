"""The text extractor on documents made here: types, encodings, damage, bombs."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from odf.opendocument import OpenDocumentText
from odf.text import P as Paragraph
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docfleet.tools import protocol
from docfleet.tools.builtin.text_extractor.layout import Word, arrange
from docfleet.tools.builtin.text_extractor.tool import tool
from docfleet.tools.protocol import LogMessage
from docfleet.tools.sdk import run_tool
from docfleet.tools.sdk.media import detect

Extract = Callable[..., Any]


@pytest.fixture
def extract(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Extract:
    """Run the tool; the text, or the object for ``output="json"``, or the error message for ``fails=True``."""

    def run(content: bytes, name: str = "document", *, fails: bool = False, **settings: Any) -> Any:
        (tmp_path / "METADATA.json").write_text(json.dumps({"source_name": name, "tool_metadata": []}))
        for copy in ("INFILE", "SOURCE"):
            (tmp_path / copy).write_bytes(content)
        code = run_tool(tool, settings, tmp_path)
        lines = [protocol.parse_line(line.encode()) for line in capfd.readouterr().out.splitlines()]
        errors = [line for line in lines if isinstance(line, LogMessage) and line.error_code]
        assert code == fails, errors
        if fails:
            return errors[0]
        text = (tmp_path / "INFILE").read_bytes().decode("utf-8")
        return json.loads(text) if settings.get("output") == "json" else text

    return run


def pdf(*pages: Sequence[tuple[float, float, str]], **options: Any) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, **options)
    for page in pages:
        for x, y, text in page:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def picture(text: str, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    image = Image.new("RGB", (900, 160), "white")
    ImageDraw.Draw(image).text((40, 50), text, fill="black", font=ImageFont.load_default(48))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_columns_stay_on_one_line_and_apart(extract: Extract) -> None:
    page = [(50, 700, "Invoice no."), (300, 700, "INV-1"), (50, 680, "Total"), (300, 681, "12.50"), (50, 600, "Thanks")]
    lines = extract(pdf(page)).splitlines()
    assert lines[0].split("  ")[0] == "Invoice no." and lines[0].endswith("INV-1")
    assert lines[1].split() == ["Total", "12.50"]
    assert lines[0].index("INV-1") == lines[1].index("12.50")
    assert lines[2] == "" and lines[3] == "Thanks"


def test_pages_are_parted_by_a_form_feed(extract: Extract) -> None:
    content = pdf([(50, 700, "first page")], [(50, 700, "second page")])
    assert extract(content) == "first page\n\fsecond page\n"
    found = extract(content, "x.pdf", output="json")
    assert found["pages"] == ["first page", "second page"]
    assert found["metadata"]["pages"] == 2 and found["metadata"]["mime"] == "application/pdf"


@pytest.mark.parametrize("pdf_text", ["columns", "reading", "layout"])
def test_each_way_to_read_a_pdf(extract: Extract, pdf_text: str) -> None:
    text = extract(pdf([(50, 700, "alpha beta"), (50, 650, "gamma")]), pdf_text=pdf_text)
    assert text.split() == ["alpha", "beta", "gamma"]


def test_a_scanned_page_is_recognised_and_counted(extract: Extract, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture("Harbour 4711"))).save(buffer, "PDF", resolution=150)
    assert "Harbour 4711" in extract(buffer.getvalue())
    assert protocol.read_verdict(tmp_path, 0).usage == {"ocr_pages": 1}
    assert "no text" in extract(buffer.getvalue(), ocr="never")


def test_a_letterhead_that_is_a_picture_is_read_on_request(extract: Extract) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawImage(ImageReader(io.BytesIO(picture("Harbour 4711"))), 50, 700, 300, 53)
    canvas.drawString(50, 600, "a line of text")
    canvas.save()
    assert extract(buffer.getvalue()) == "a line of text\n"
    text = extract(buffer.getvalue(), ocr="pictures")
    assert text.startswith("a line of text\n") and "Harbour 4711" in text


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("TIFF", "1"), ("BMP", "RGB"), ("GIF", "L"), ("WEBP", "RGB")],
)
def test_images_of_every_kind(extract: Extract, kind: str, mode: str) -> None:
    assert "Harbour 4711" in extract(picture("Harbour 4711", kind, mode))


def test_a_picture_without_text_says_so(extract: Extract) -> None:
    assert extract(picture("")).strip() == "[no text was recognised in this image]"


def test_every_page_of_a_tiff_is_read(extract: Extract) -> None:
    frames = [Image.open(io.BytesIO(picture(text))) for text in ("first", "second")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    assert extract(buffer.getvalue()).split() == ["first", "second"]


def test_an_ocr_language_that_is_missing_names_its_package(extract: Extract) -> None:
    error = extract(picture("x"), fails=True, ocr_language="tlh")
    assert error.error_code == "tool_settings_invalid" and "tessdata-fast-tlh" in error.log


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is not None, reason="rapidocr is installed")
def test_an_ocr_engine_that_is_missing_names_its_extra(extract: Extract) -> None:
    error = extract(picture("x"), fails=True, ocr_engine="rapidocr")
    assert error.error_code == "tool_settings_invalid" and "docfleet-tools[rapidocr]" in error.log


def test_office_documents(extract: Extract) -> None:
    letter = docx.Document()
    letter.add_paragraph("before")
    table = letter.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    letter.add_paragraph("after")
    assert extract(saved(letter)).split("\n")[:3] == ["before", "left\tright", "after"]
    book = openpyxl.Workbook()
    book.active.title = "Zahlen"
    book.active.append(["Größe", 1.5, None, "x\ty"])
    assert extract(saved(book)) == "Sheet: Zahlen\nGröße\t1.5\t\tx y\n"
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[5])
    slide.shapes.title.text = "Heading"
    slide.notes_slide.notes_text_frame.text = "say this"
    assert extract(saved(slides)) == "Heading\nNotes: say this\n"


def test_an_empty_workbook_says_so(extract: Extract) -> None:
    assert "no cells with content" in extract(saved(openpyxl.Workbook()))


def test_html_shows_what_a_reader_sees(extract: Extract) -> None:
    content = (
        "<!doctype html><head><meta charset='iso-8859-1'><title>T</title><style>p{}</style></head>"
        "<body><p>Grüße<br>zwei</p><script>hidden()</script><table><tr><td>a</td><td><p>b</p></td></tr></table></body>"
    ).encode("latin-1")
    assert extract(content).split("\n") == ["Grüße", "zwei", "", "a\tb", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_text_of_any_encoding(extract: Extract, encoding: str) -> None:
    text = "Größenangaben für Müller, Straße und Übergröße: schöne Grüße aus Köln\n" * 3
    assert extract(text.replace("\n", "\r\n").encode(encoding)) == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separated_values_of_any_dialect(extract: Extract, delimiter: str) -> None:
    rows = [["name", "city", "n"], ["a b", f"x{delimiter} y", "1"], ["c", "d", "2"]]
    content = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    assert extract(content.encode(), name).split("\n")[2] == "c\td\t2"


def message(**options: Any) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ä <a@example.org>", "b@example.org", "Prüfung"
    mail.set_content(options.get("text", "plain body"))
    return mail


def test_mail_with_alternatives_and_attachments(extract: Extract) -> None:
    mail = message()
    mail.add_alternative("<p>html body</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="Rechnung ä.pdf")
    text = extract(mail.as_bytes(), "m.eml")
    assert "Subject: Prüfung" in text and "plain body" in text and "html body" not in text
    assert text.rstrip().endswith("Attachments: Rechnung ä.pdf")
    assert "plain body" in extract(mail.as_bytes().decode().encode("utf-16"), "m.eml")


@pytest.mark.parametrize(
    "content",
    [
        message(text="-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----").as_bytes(),
        b"From: a@b.org\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA",
        b'From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary="b"\n\n--b\n\nx\n--b--\n',
    ],
)
def test_an_encrypted_message_is_said_to_be_one(extract: Extract, content: bytes) -> None:
    error = extract(content, "m.eml", fails=True)
    assert error.error_code == "password_required" and "encrypted message" in error.log


def test_an_encrypted_pdf_asks_for_its_password(extract: Extract) -> None:
    error = extract(pdf([(50, 700, "secret")], encrypt="pw"), fails=True)
    assert error.error_code == "password_required" and "password required" in error.log


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"%PDF-1.7\nnot really", "a.pdf", "corrupt_file"),
        (pdf([(50, 700, "x")])[:400], "a.pdf", "corrupt_file"),
        (picture("x", "JPEG")[:300], "a.jpg", "corrupt_file"),
        (picture("x")[:200], "a.png", "corrupt_file"),
        (_png_header(60_000, 60_000), "a.png", "file_too_large"),
        (saved(docx.Document())[:-200], "a.docx", "unsupported_file_type"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "word__document.xml": b"<broken"}), "a.docx", "corrupt_file"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "xl__workbook.xml": b"<broken"}), "a.xlsx", "corrupt_file"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "ppt__presentation.xml": b""}), "a.pptx", "corrupt_file"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.text"), "a.odt", "corrupt_file"),
        (zipped(mimetype=b"application/epub+zip"), "a.epub", "corrupt_file"),
        (
            zipped(**{"[Content_Types].xml": b"<x/>", "word__document.xml": bytes(60_000_000)}),
            "b.docx",
            "file_too_large",
        ),
        (zipped(a=b"x"), "a.zip", "unsupported_file_type"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "program.pdf", "unsupported_file_type"),
        (bytes(range(256)) * 8, "noise.bin", "unsupported_file_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.msg", "unsupported_file_type"),
        (b"", "a.pdf", "empty_file"),
    ],
)
def test_what_cannot_be_read_has_a_cause(extract: Extract, content: bytes, name: str, code: str) -> None:
    error = extract(content, name, fails=True)
    assert error.error_code == code, error.log
    assert "Traceback" not in error.log and len(error.log) > 20


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["docx", "xlsx", "pdf", "png", "odt"])
def test_random_damage_is_never_a_fault_of_the_tool(extract: Extract, kind: str, seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    content = bytearray(_document(kind))
    for _ in range(4**seed // 8 + 1):
        content[dice.randrange(len(content))] = dice.randrange(256)
    if seed % 2:
        del content[dice.randrange(1, len(content)) :]
    for copy in ("INFILE", "SOURCE"):
        (tmp_path / copy).write_bytes(content)
    (tmp_path / "METADATA.json").write_text(json.dumps({"source_name": f"a.{kind}", "tool_metadata": []}))
    with contextlib.redirect_stderr(io.StringIO()) as trace:
        run_tool(tool, {}, tmp_path)
    assert trace.getvalue() == ""


def _document(kind: str) -> bytes:
    if kind == "pdf":
        return pdf([(50, 700, "x" * 50)] * 20)
    if kind == "png":
        return picture("Harbour")
    if kind == "odt":
        text = OpenDocumentText()
        text.text.addElement(Paragraph(text="hello"))
        return saved(text)
    if kind == "docx":
        return saved(docx.Document())
    return saved(openpyxl.Workbook())


def test_a_pdf_of_too_many_pages_names_the_setting(extract: Extract) -> None:
    error = extract(pdf(*[[(50, 700, "x")]] * 4), fails=True, max_pages=3)
    assert error.error_code == "file_too_large" and "max_pages" in error.log


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [
        (b"a,b\n1,2\n", "x.csv", "text/csv"),
        (b"hello", "x.pdf", "text/plain"),
        (b"{\\rtf1 hello}", "x.doc", "application/rtf"),
        (b"Received: from x\nFrom: a@b\nSubject: s\nMIME-Version: 1.0\n\nbody", "", "message/rfc822"),
        (b"Dear all,\nFrom: now on\n", "", "text/plain"),
        (b"  <!-- c --><HTML><body>", "x.txt", "text/html"),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "", "text/html"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"junk before\n%PDF-1.4", "", "application/pdf"),
        (b"", "x.txt", "application/x-empty"),
    ],
)
def test_the_type_comes_from_the_content_first(tmp_path: Path, content: bytes, name: str, mime: str) -> None:
    path = tmp_path / "INFILE"
    path.write_bytes(content)
    assert detect(path, name) == mime


def test_words_of_one_line_need_not_stand_exactly_level() -> None:
    words = [Word("b", 100, 10.4, 110, 20.4), Word("a", 0, 10, 10, 20), Word("c", 0, 24, 10, 34)]
    assert [line.split() for line in arrange(words).split("\n")] == [["a", "b"], ["c"]]
    assert arrange([]) == ""
