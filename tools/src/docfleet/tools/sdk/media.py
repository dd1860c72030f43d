"""The MIME type of a document: by content first, by its name where the content is ambiguous."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import struct
import zipfile
import zlib
from pathlib import Path

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_OPEN = "application/vnd.openxmlformats-officedocument."
_MACRO = "application/vnd.ms-{}.macroEnabled.12"
WORD = (DOCX, f"{_OPEN}wordprocessingml.template", *map(_MACRO.format, ("word.document", "word.template")))
"""Documents, templates, and both with macros."""
WORKBOOKS = (
    XLSX,
    f"{_OPEN}spreadsheetml.template",
    *map(_MACRO.format, ("excel.sheet", "excel.template", "excel.addin")),
)
"""Workbooks, templates, both with macros, and add-ins."""
SLIDES = (
    PPTX,
    f"{_OPEN}presentationml.template",
    f"{_OPEN}presentationml.slideshow",
    *map(_MACRO.format, ("powerpoint.presentation", "powerpoint.template", "powerpoint.slideshow", "powerpoint.addin")),
)
"""Presentations, templates, shows, each with macros, and add-ins."""
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
ODG = "application/vnd.oasis.opendocument.graphics"
OPENDOCUMENT = {
    ODT, ODS, ODP, ODG, *(f"{kind}-template" for kind in (ODT, ODS, ODP, ODG)), f"{ODT}-master", f"{ODT}-web",
}  # fmt: skip
"""Texts, spreadsheets, slides and drawings, and their templates."""
EPUB = "application/epub+zip"
MSG = "application/vnd.ms-outlook"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
ENCRYPTED_OFFICE = "application/x-encrypted-office"
OLE = "application/x-ole-storage"
PDF = "application/pdf"
RTF = "application/rtf"
HTML = "text/html"
SVG = "image/svg+xml"
CSV = "text/csv"
EML = "message/rfc822"
TXT = "text/plain"
AVIF = "image/avif"
HEIC = "image/heic"
JPEG_2000 = "image/jp2"
JPEG_XL = "image/jxl"
PHOTOSHOP = "image/vnd.adobe.photoshop"
DICOM = "application/dicom"
DJVU = "image/x-djvu"
POSTSCRIPT = "application/postscript"
MOBI = "application/x-mobipocket-ebook"
WORDPERFECT = "application/vnd.wordperfect"
WORKS = "application/vnd.ms-works"
VISIO = "application/vnd.visio"
PUBLISHER = "application/x-mspublisher"
HANGUL = "application/x-hwp"
ONENOTE = "application/onenote"
ACCESS = "application/x-msaccess"
TNEF = "application/vnd.ms-tnef"
OUTLOOK_FOLDER = "application/vnd.ms-outlook-pst"
SMIME = "application/pkcs7-mime"
IWORK = "application/x-iwork"
MP4 = "video/mp4"
PROGRAM = "application/x-executable"
DAMAGED_ARCHIVE = "application/x-damaged-archive"
"""An archive that lacks its end, of no kind that its beginning or its name tells."""
ZIP = "application/zip"
EMPTY = "application/x-empty"
UNKNOWN = "application/octet-stream"

_HEAD_BYTES = 16 * 1024
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"{\\rtf", RTF),
    (b"\0\0\0\x0cjP  \r\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\0\0\0\x0cJXL \r\n", JPEG_XL),
    (b"8BPS", PHOTOSHOP),
    (b"AT&TFORM", DJVU),
    (b"%!PS", POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", POSTSCRIPT),
    (b"\xffWPC", WORDPERFECT),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", ONENOTE),
    (b"\0\x01\0\0Standard ", ACCESS),
    (b"\x78\x9f\x3e\x22", TNEF),
    (b"!BDN", OUTLOOK_FOLDER),
    (b"\x7fELF", PROGRAM),
    (b"MZ\x90\0", PROGRAM),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/x-matroska"),
)
# Brands of the container that videos and newer pictures share; of several that a file lists, the first here counts.
_BRANDS = {
    b"avif": AVIF, b"avis": AVIF, b"heic": HEIC, b"heix": HEIC, b"heim": HEIC, b"heis": HEIC, b"hevc": HEIC,
    b"hevx": HEIC, b"hevm": HEIC, b"hevs": HEIC, b"mif1": HEIC, b"msf1": HEIC, b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}  # fmt: skip
_OPENXML = {"word/": DOCX, "xl/workbook.bin": XLSB, "xl/": XLSX, "ppt/": PPTX}
_ZIPPED = {
    ".odt": ODT, ".ods": ODS, ".odp": ODP, ".odg": ODG, ".epub": EPUB, ".xlsb": XLSB,
    **dict(zip((".docx", ".dotx", ".docm", ".dotm"), WORD, strict=True)),
    **dict(zip((".xlsx", ".xltx", ".xlsm", ".xltm", ".xlam"), WORKBOOKS, strict=True)),
    **dict(zip((".pptx", ".potx", ".ppsx", ".pptm", ".potm", ".ppsm", ".ppam"), SLIDES, strict=True)),
}  # fmt: skip
_KNOWN_ARCHIVES = {*_ZIPPED.values(), *OPENDOCUMENT}
# A package of Office says which of its kinds it is by the type of its main part.
_MAIN_PART = re.compile(
    rb"""ContentType\s*=\s*["']([\w./-]+?)(?:(?<=Enabled)Template)?\.main\+xml["']""", re.IGNORECASE
)
_MAIN_TYPES = {mime.removesuffix(".12").lower(): mime for mime in (*WORD, *WORKBOOKS, *SLIDES)}
# Parts of packages that are of no office suite in this list, and of newer ones of Apple.
_OTHER_PARTS = {
    "visio/document.xml": VISIO,
    "FixedDocumentSequence.fdseq": "application/vnd.ms-xpsdocument",
    "FixedDocSeq.fdseq": "application/vnd.ms-xpsdocument",
    "Index/Document.iwa": IWORK,
    "Index.zip": IWORK,
    "index.apxl": IWORK,
}
_TYPES_PART = "[content_types].xml"
_MIME = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_MIMETYPE_BYTES = 200
_LEFT_BYTES = 1024 * 1024
_MEMBER = b"PK\x03\x04"
# Method of compression, compressed size, sizes of the name and of what follows it.
_MEMBER_HEADER = struct.Struct("<4x4xH8xI4xHH")
# Names in small letters: some programs write them in capitals.
_OLE_STREAMS = (
    ("encryptedpackage", ENCRYPTED_OFFICE),
    ("__properties_version1.0", MSG),
    ("worddocument", DOC),
    ("workbook", XLS),
    ("book", XLS),
    ("powerpoint document", PPT),
    ("visiodocument", VISIO),
    ("quill/quillsub/contents", PUBLISHER),
    ("bodytext/section0", HANGUL),
    ("matost", WORKS),
)
# Types that the name decides: the content of all of them is plain text.
_BY_SUFFIX = {
    ".csv": CSV,
    ".tsv": "text/tab-separated-values",
    ".html": HTML,
    ".htm": HTML,
    ".svg": SVG,
    ".eml": EML,
    ".md": "text/markdown",
    ".json": "application/json",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_HEADER = re.compile(
    rb"\A(?:(?:From |Return-Path:|Received:|MIME-Version:|Delivered-To:|Message-ID:|Date:|From:|Subject:|To:)[^\n]*\n)"
    rb"(?:[A-Za-z-]+:[^\n]*\n|[ \t][^\n]*\n)*?(?:MIME-Version|Content-Type|Message-ID|Received|From):",
    re.IGNORECASE,
)
_HTML_START = re.compile(
    rb"\A\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
# A sequence, in a definite length or none, that begins with one of the types of content of CMS.
_ENVELOPE = re.compile(
    rb"0(?:\x80|[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)"
    rb"\x06(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07|\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01)",
    re.DOTALL,
)
_ARMOR = re.compile(rb"\A\s*-----BEGIN (?:PKCS7|PKCS #7 SIGNED DATA|CMS)-----\s*")
_ENVELOPE_BYTES = 200
_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1b")


_FLAT_OPENDOCUMENT = re.compile(rb"""<(?:\w+:)?document\s[^>]*?mimetype\s*=\s*["']([\w./+-]+)["']""")


def detect(path: Path, name: str = "") -> str:
    """MIME type of the file at ``path``, with the file name ``name``. Never raises for odd content."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        return EMPTY
    for signature, mime in _SIGNATURES:
        if head.startswith(signature):
            return mime
    if is_envelope(head):  # before what may stand in it
        return SMIME
    if b"%PDF-" in head[:1024]:
        return PDF
    if head[:2] == b"BM" and len(head) > 26 and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[128:132] == b"DICM":
        return DICOM
    if head[60:68] == b"BOOKMOBI":
        return MOBI
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _inside_zip(path, name)
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _inside_ole(path)
    return _text(head, name) if looks_like_text(head) else _other(head, name)


def is_envelope(head: bytes) -> bool:
    """Whether a file that begins so is a CMS envelope, in DER, BER, PEM or base64."""
    start = _ARMOR.sub(b"", head[:_ENVELOPE_BYTES], count=1).partition(b"-----")[0]
    if start[:1] == b"M":
        letters = b"".join(start.split())
        try:
            start = base64.b64decode(letters[: len(letters) & ~3], validate=True)
        except binascii.Error:
            return False
    return _ENVELOPE.match(start) is not None


def _by_brand(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
    return next((mime for brand, mime in _BRANDS.items() if brand in brands), MP4)


def looks_like_text(head: bytes) -> bool:
    """Whether these first bytes are text in UTF-8, UTF-16, UTF-32 or an 8-bit code page."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:3] == b"\xef\xbb\xbf":
        return True
    if utf16_without_mark(head):
        return True
    if b"\0" in head:
        return False
    try:
        head[:-4].decode("utf-8") if len(head) > 4 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8 and len(head.translate(None, _CONTROL)) < len(head):
            return False
    controls = len(head) - len(head.translate(None, _CONTROL))
    return controls * 50 <= len(head)


def utf16_without_mark(head: bytes) -> str | None:
    """``utf-16-le`` or ``utf-16-be`` when bytes without a byte order mark are that: spaces and line ends have a zero on
    one side, and what it decodes to can be printed."""
    sample = head[: len(head) & ~1][:512]
    if len(sample) < 8:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    if bool(even) == bool(odd):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    text = sample.decode(encoding, "replace")
    printable = sum(letter.isprintable() or letter in "\t\r\n" for letter in text)
    return encoding if printable == len(text) and " " in text and "\ufffd" not in text else None


def _text(head: bytes, name: str) -> str:
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else utf16_without_mark(head)
    if encoding:
        head = head[: len(head) & ~1].decode(encoding, "replace").encode("utf-8")
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML_START.match(head):
        return HTML
    flat = _FLAT_OPENDOCUMENT.search(head) if head.lstrip().startswith(b"<") else None
    if flat and (mime := flat[1].decode("ascii")) in OPENDOCUMENT:
        return mime
    suffix = Path(name).suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    return EML if _HEADER.match(head.replace(b"\r\n", b"\n")) else TXT


def _inside_zip(path: Path, name: str) -> str:
    types = b""
    is_damaged = False
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            is_named = "mimetype" in members and archive.getinfo("mimetype").file_size < _MIMETYPE_BYTES
            named = archive.read("mimetype") if is_named else b""
            listed = next((member for member in archive.infolist() if member.filename.lower() == _TYPES_PART), None)
            if listed is not None and listed.file_size < _LEFT_BYTES:
                types = archive.read(listed)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        members, named = _left_in(path)  # cut off, damaged or encrypted: its reader reports that
        is_office = is_damaged = True
    else:
        is_office = _TYPES_PART in map(str.lower, members)
    mime = named.decode("ascii", "replace").strip()
    if mime not in _KNOWN_ARCHIVES and is_office:
        declared = (_MAIN_TYPES.get(kind.decode("ascii", "replace").lower()) for kind in _MAIN_PART.findall(types))
        parts = [each.replace("\\", "/").lstrip("/").lower() for each in members]
        held = (kind for part, kind in _OPENXML.items() if any(each.startswith(part) for each in parts))
        mime = next(filter(None, declared), None) or next(held, mime)
    if mime in _KNOWN_ARCHIVES:
        return mime
    # What an archive lacks to be what its name says is damage, too.
    of_name = _ZIPPED.get(Path(name).suffix.lower())
    if of_name is not None:
        return of_name
    if _MIME.fullmatch(mime):
        return mime
    others = (kind for part, kind in _OTHER_PARTS.items() if part in members)
    return next(others, DAMAGED_ARCHIVE if is_damaged else ZIP)


def _left_in(path: Path) -> tuple[list[str], bytes]:
    """Names of members, and the member ``mimetype``, by the headers before the members: the table of an archive is at
    its end, which is the first thing to be lost."""
    with path.open("rb") as stream:
        start = stream.read(_LEFT_BYTES)
    members: list[str] = []
    named = b""
    at = start.find(_MEMBER)
    while 0 <= at <= len(start) - _MEMBER_HEADER.size:
        method, size, name_size, more_size = _MEMBER_HEADER.unpack_from(start, at)
        body = at + _MEMBER_HEADER.size + name_size + more_size
        name = start[at + _MEMBER_HEADER.size : body - more_size].decode("utf-8", "replace")
        members.append(name)
        if name == "mimetype" and method == zipfile.ZIP_STORED:
            named = start[body : body + min(size, _MIMETYPE_BYTES)]
        at = start.find(_MEMBER, at + len(_MEMBER))
    return members, named


def _inside_ole(path: Path) -> str:
    import olefile

    try:
        with olefile.OleFileIO(path) as storage:
            streams = {"/".join(parts).lower() for parts in storage.listdir(streams=True, storages=False)}
    except (OSError, ValueError, IndexError):
        return OLE
    return next((mime for stream, mime in _OLE_STREAMS if stream in streams), OLE)


def _other(head: bytes, name: str) -> str:
    import puremagic

    try:
        matches = [match.mime_type for match in puremagic.magic_string(head, name) if match.mime_type]
    except (puremagic.PureError, ValueError, IndexError):
        matches = []
    mime = matches[0] if matches else mimetypes.guess_type(name)[0] or UNKNOWN
    # Named so, and no OLE file: it is damaged.
    return OLE if mime in (DOC, XLS, PPT, MSG) else mime
