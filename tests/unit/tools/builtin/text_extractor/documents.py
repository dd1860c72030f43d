"""Small documents of each kind, made in memory."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

Extract = Callable[..., Any]

FONTS = [
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/TTF/DejaVuSans.ttf"),
    Path("/Library/Fonts/Arial Unicode.ttf"),
]


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


_END, _FREE, _OF_TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def ole(streams: dict[str, bytes]) -> bytes:
    """An OLE file with these streams of less than 4 KiB; slashes part the storages."""
    tree: dict[str, Any] = {}
    for path, content in streams.items():
        *storages, name = path.split("/")
        folder = tree
        for storage in storages:
            folder = folder.setdefault(storage, {})
        folder[name] = content
    entries: list[list[Any]] = [["Root Entry", 5, -1, -1, tree]]  # name, kind, next sibling, first child, content
    for entry in entries:
        if isinstance(entry[4], dict) and entry[4]:
            entry[3] = len(entries)
            for name, content in entry[4].items():
                entries.append([name, 1 if isinstance(content, dict) else 2, len(entries) + 1, -1, content])
            entries[-1][2] = -1
    small, small_chain = _chained([entry[4] if isinstance(entry[4], bytes) else b"" for entry in entries], 64)
    small_table = struct.pack(f"<{len(small_chain)}I", *small_chain)
    directory = b""
    at = 0
    for name, kind, sibling, child, content in entries:
        encoded = (name + "\0").encode("utf-16-le")
        size = len(content) if isinstance(content, bytes) else len(small) if kind == 5 else 0
        start = 0 if kind == 5 else at if size else _END
        at += -(-size // 64) if kind == 2 else 0
        fields = (encoded, len(encoded), kind, 1, -1, sibling, child, start, size, 0)
        directory += struct.pack("<64sHBBiii36xIII", *fields)
    parts = [small, small_table, directory]
    data, chain = _chained(parts, 512)
    starts = [sum(-(-len(part) // 512) for part in parts[:number]) for number in range(3)]
    table = struct.pack(f"<{len(chain) + 1}I", *chain, _OF_TABLE).ljust(512, b"\xff")
    assert len(table) == 512 and all(len(content) < 4096 for content in streams.values())
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    numbers = (
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        1,
        starts[2],
        0,
        4096,
        starts[1],
        -(-len(small_table) // 512),
        _END,
        0,
        len(chain),
    )
    return (header + struct.pack("<5H6x10I", *numbers)).ljust(512, b"\xff") + data + table


def _chained(parts: list[bytes], size: int) -> tuple[bytes, list[int]]:
    """The parts in sectors, one after another, and the table that chains the sectors of each."""
    data, chain = b"", list[int]()
    for part in parts:
        count = -(-len(part) // size)
        chain += [*range(len(chain) + 1, len(chain) + count), _END] if count else []
        data += part.ljust(count * size, b"\0")
    return data, chain


def message(**options: Any) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ä <a@example.org>", "b@example.org", "Prüfung"
    mail.set_content(options.get("text", "plain body"))
    return mail


def written(*lines: str) -> Image.Image:
    """A page in letters that the built-in font lacks."""
    font = next((path for path in FONTS if path.exists()), None)
    if font is None:
        pytest.skip("no font with letters of other languages is installed")
    image = Image.new("L", (1400, 120 + 90 * len(lines)), 255)
    ImageDraw.Draw(image).multiline_text(
        (60, 60), "\n".join(lines), fill=0, font=ImageFont.truetype(font, 40), spacing=30
    )
    return image


def russian() -> Image.Image:
    return written(
        "Счёт на оплату 4711 от 12 марта",
        "Поставщик: Ромашка, Москва, улица Ленина",
        "Итого к оплате: 12345 рублей",
        "Срок оплаты: десять банковских дней",
    )
