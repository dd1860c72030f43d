"""Every format: who reads it and what is kept of it, or what to send instead."""

from __future__ import annotations

from dataclasses import dataclass

from docfleet.tools.sdk import media


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read; the texts are those of the reference."""

    name: str
    mimes: tuple[str, ...]
    reader: str
    """Module and function, relative to this package."""
    library: str
    kept: str
    left: str
    """What is not kept, and what is not read at all."""


FORMATS = (
    Format(
        "PDF",
        (media.PDF,),
        "pdf:read_pdf",
        "pypdfium2; pdfplumber; OCR for pages that are pictures",
        "text in the order of reading, tables row by row, values of forms, typed notes, words with their places",
        "pictures on pages with text (unless `ocr` is `pictures`), attached files, scripts",
    ),
    Format(
        "Word: DOCX, DOCM, DOTX, DOTM, Strict Open XML",
        media.WORD,
        "openxml.word:read_word",
        "lxml, reader of ours",
        "paragraphs with the numbers of lists, tables, headers, footers, notes, text boxes, inserted text",
        "deleted text, hidden text, pictures, layout",
    ),
    Format(
        "Excel: XLSX, XLSM, XLTX, XLTM, XLAM",
        media.WORKBOOKS,
        "openxml.workbook:read_workbook",
        "lxml, reader of ours",
        "every sheet row by row, values as their formats show them, comments, texts of drawings",
        "formulas (their last results are kept), pictures, styles",
    ),
    Format(
        "PowerPoint: PPTX, PPTM, POTX, POTM, PPSX, PPSM",
        media.SLIDES,
        "openxml.slides:read_slides",
        "lxml, reader of ours",
        "slide by slide: texts of shapes, tables, charts, the notes of the speaker",
        "pictures, animations",
    ),
    Format(
        "OpenDocument: ODT, ODS, ODP, ODG, templates, flat files (FODT, FODS, FODP, FODG)",
        tuple(sorted(media.OPENDOCUMENT)),
        "opendocument:read_opendocument",
        "lxml, reader of ours",
        "headers and footers of the page styles in use, paragraphs, numbers of lists and headings, cells in their "
        "columns, repeated cells and rows, notes, comments, text boxes, values of forms, notes of slides, what stands "
        "on the master of slides",
        "deleted text, embedded objects and charts, pictures",
    ),
    Format(
        "Excel 97: XLS",
        (media.XLS,),
        "legacy:read_xls",
        "python-calamine",
        "every sheet row by row: numbers, dates, texts",
        "how formats show numbers (currencies, percent), comments, texts of drawings, formulas",
    ),
    Format("Binary Excel: XLSB", (media.XLSB,), "legacy:read_xlsb", "python-calamine", "as XLS", "as XLS"),
    Format(
        "Word 97: DOC",
        (media.DOC,),
        "legacy:read_doc",
        "LibreOffice, when `legacy_office` is `libreoffice`",
        "as DOCX, of what LibreOffice converts",
        "everything, unless `legacy_office` is `libreoffice`: then the file is refused with that cause",
    ),
    Format(
        "PowerPoint 97: PPT",
        (media.PPT,),
        "legacy:read_ppt",
        "LibreOffice, when `legacy_office` is `libreoffice`",
        "as PPTX, of what LibreOffice converts",
        "as DOC",
    ),
    Format(
        "RTF",
        (media.RTF,),
        "rtf:read_rtf",
        "reader of ours",
        "headers, text in every code page, rows of tables on one line, numbers of lists, footnotes, comments, text "
        "boxes, footers; the HTML that the RTF was made of",
        "deleted and hidden text, pictures, embedded objects (their shown result is kept), formulas",
    ),
    Format(
        "HTML, XHTML, SVG",
        (media.HTML, "application/xhtml+xml", media.SVG),
        "markup:read_html",
        "Beautiful Soup with lxml",
        "what a browser without scripts shows: rows of tables on one line, options, values of inputs, `noscript`, "
        "texts of SVG; the charset as browsers read it, doubted where the bytes contradict",
        "what `hidden`, `display: none` or `visibility: hidden` of the element itself hide, style sheets, scripts, "
        "`alt` texts",
    ),
    Format("EPUB", (media.EPUB,), "markup:read_epub", "Beautiful Soup with lxml", "chapter by chapter, as HTML",
           "protected (DRM) books, pictures"),
    Format(
        "E-mail: EML, MHT",
        (media.EML,),
        "mail:read_eml",
        "Python's `email`; asn1crypto for S/MIME",
        "From, To, Cc, Date, Subject, all bodies in their charset (plain, or HTML where plain is blank or a stub), "
        "signed content, delivery reports, messages within messages, names of attachments",
        "contents of attachments, encrypted messages",
    ),
    Format(
        "Outlook: MSG",
        (media.MSG,),
        "outlook:read_msg",
        "olefile, compressed-rtf; properties by a reader of ours",
        "as e-mail; bodies in text, HTML or compressed RTF, in the code page that fits",
        "as e-mail; times, places and other properties of appointments and tasks",
    ),
    Format(
        "Signed documents: P7M",
        (media.SMIME,),
        "envelope:read_envelope",
        "asn1crypto; the reader of the document inside",
        "the document inside, as its own format, in DER, BER, PEM or base64",
        "the signature, which is not verified, and the signer; encrypted envelopes",
    ),
    Format("CSV, TSV", (media.CSV, "text/tab-separated-values"), "plain:read_csv", "Python's `csv`",
           "every cell, of any dialect", "nothing"),
    Format(
        "Text, Markdown, JSON, XML, YAML",
        (media.TXT, "text/markdown", "application/json", "application/xml", "application/yaml"),
        "plain:read_text",
        "chardetng, webencodings",
        "the text as it is; the encoding is judged by the complete file: UTF-8 also with errors, else windows-1252 "
        "unless another code page fits better",
        "nothing",
    ),
    Format(
        "Pictures: PNG, JPEG, TIFF (all its pages), BMP, GIF, WEBP, AVIF, JPEG 2000",
        ("image/png", "image/jpeg", "image/tiff", "image/bmp", "image/gif", "image/webp", media.AVIF, media.JPEG_2000),
        "ocr:read_image",
        "Pillow; OCR by PP-OCRv6 (faster-paddle) or Tesseract",
        "the text that OCR reads, words with their places and confidence",
        "frames of animations after the first",
    ),
    Format("Pictures of phones: HEIC, HEIF", (media.HEIC,), "heic:read_heic", "pi-heif; OCR as above", "as above",
           "as above"),
)  # fmt: skip

READERS = {mime: each.reader for each in FORMATS for mime in each.mimes}

_VIDEO = ("a video", "its text, or pictures of it")
_SOUND = ("a sound", "its text")
_PACKED = ("a packed archive", "the files in it, unpacked")
_SHEETS, _TEXT, _PDF = "XLSX or ODS", "DOCX or ODT", "PDF"
_PICTURE = "PNG or JPEG"
REFUSED = {
    media.ZIP: ("a ZIP archive", "the files in it, unpacked"),
    "application/x-7z-compressed": _PACKED,
    "application/vnd.rar": _PACKED,
    "application/x-rar-compressed": _PACKED,
    "application/gzip": _PACKED,
    "application/x-gzip": _PACKED,
    "application/x-bzip2": _PACKED,
    "application/x-xz": _PACKED,
    "application/x-tar": _PACKED,
    "application/vnd.sun.xml.writer": ("a document of OpenOffice 1 (SXW)", _TEXT),
    "application/vnd.sun.xml.calc": ("a workbook of OpenOffice 1 (SXC)", _SHEETS),
    "application/vnd.sun.xml.impress": ("a presentation of OpenOffice 1 (SXI)", "PPTX or ODP"),
    "application/vnd.oasis.opendocument.base": ("a database of LibreOffice (ODB)", _SHEETS),
    "application/vnd.oasis.opendocument.formula": ("a formula of LibreOffice (ODF)", _PDF),
    "application/vnd.oasis.opendocument.chart": ("a chart of LibreOffice (ODC)", _PDF),
    "application/vnd.apple.pages": ("a document of Apple Pages", f"{_PDF} or DOCX"),
    "application/vnd.apple.numbers": ("a workbook of Apple Numbers", f"{_PDF} or XLSX"),
    "application/vnd.apple.keynote": ("a presentation of Apple Keynote", f"{_PDF} or PPTX"),
    media.IWORK: ("a document of Apple Pages, Numbers or Keynote", _PDF),
    "application/vnd.ms-xpsdocument": ("an XPS document", _PDF),
    media.VISIO: ("a drawing of Visio", _PDF),
    media.PUBLISHER: ("a document of Publisher", _PDF),
    media.HANGUL: ("a document of Hangul (HWP)", f"{_PDF} or DOCX"),
    media.WORKS: ("a document of Microsoft Works", _TEXT),
    media.ONENOTE: ("a notebook of OneNote", _PDF),
    media.TNEF: ("an attachment of Outlook in its own format (winmail.dat)", "the message as MSG or EML"),
    media.OUTLOOK_FOLDER: ("a folder of Outlook (PST)", "its messages as MSG or EML"),
    media.ACCESS: ("a database of Access", _SHEETS),
    media.WORDPERFECT: ("a document of WordPerfect", _TEXT),
    media.DJVU: ("a DjVu document", _PDF),
    media.POSTSCRIPT: ("a PostScript file", _PDF),
    media.MOBI: ("a Kindle book", "EPUB or PDF"),
    media.PHOTOSHOP: ("a picture of Photoshop (PSD)", _PICTURE),
    media.JPEG_XL: ("a JPEG XL picture", _PICTURE),
    media.DICOM: ("a medical picture (DICOM)", _PICTURE),
    "image/x-icon": ("an icon", _PICTURE),
    media.MP4: _VIDEO,
    "video/quicktime": _VIDEO,
    "video/x-matroska": _VIDEO,
    "video/webm": _VIDEO,
    "video/x-msvideo": _VIDEO,
    "video/mpeg": _VIDEO,
    "audio/mpeg": _SOUND,
    "audio/wav": _SOUND,
    "audio/x-wav": _SOUND,
    "audio/ogg": _SOUND,
    "audio/flac": _SOUND,
    "audio/mp4": _SOUND,
    media.PROGRAM: ("a program", "a document"),
}
"""What a file of a type that is not read is, and what to send instead."""
