"""Small documents of each kind, made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

Extract = Callable[..., Any]


def pdf(*pages: Sequence[tuple[float, float, str]], **options: Any) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, **options)
    for page in pages:
        for x, y, text in page:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def canvas_of(size: tuple[float, float]) -> tuple[Canvas, io.BytesIO]:
    """A canvas for a PDF, and where it is saved."""
    buffer = io.BytesIO()
    return Canvas(buffer, pagesize=size), buffer


def raw_pdf(*objects: str, streams: dict[int, bytes] | None = None) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalog. ``streams`` are contents by the number."""
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        stream = (streams or {}).get(number)
        encoded = body.encode("latin-1")
        if stream is not None:
            encoded = encoded[:-2] + b" /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, encoded)
    start = len(content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        content
        + head
        + table
        + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            len(objects) + 1,
            start,
        )
    )


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


def message(**options: Any) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ä <a@example.org>", "b@example.org", "Prüfung"
    mail.set_content(options.get("text", "plain body"))
    return mail
