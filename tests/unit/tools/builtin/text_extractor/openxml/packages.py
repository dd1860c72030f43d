"""Office packages made of a few lines of XML each."""

from __future__ import annotations

import io
import zipfile

_NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "v": "urn:schemas-microsoft-com:vml",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "xdr": "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing",
    "ds": "http://schemas.openxmlformats.org/officeDocument/2006/customXml",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in _NAMESPACES.items())
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument."
Parts = dict[str, str]


def root(name: str, content: str, attributes: str = "") -> str:
    """An XML part whose root is ``name``."""
    return f'<?xml version="1.0"?><{name} {_DECLARED} {attributes}>{content}</{name}>'


def relations(*targets: tuple[str, str, str]) -> str:
    """A part of relationships; each is an id, the last word of the type, and a target."""
    entries = "".join(
        f'<Relationship Id="{name}" Type="{_RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for name, kind, target in targets
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{entries}</Relationships>'
    )


def package(main: str, kind: str, parts: Parts, *, strict: bool = False) -> bytes:
    """A package whose main part is ``main``, of the content type ``kind``."""
    declared = kind if kind.startswith("application/") else f"{_TYPES}{kind}"
    own = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="{declared}.main+xml"/></Types>',
        "_rels/.rels": relations(("m", "officeDocument", main)),
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (own | parts).items():
            archive.writestr(name, _strict(text) if strict else text)
    return target.getvalue()


def _strict(text: str) -> str:
    for kind in ("wordprocessingml", "spreadsheetml", "presentationml", "drawingml", "officeDocument"):
        text = text.replace(f"http://schemas.openxmlformats.org/{kind}/2006/", f"http://purl.oclc.org/ooxml/{kind}/")
    return text


def word(
    body: str,
    *targets: tuple[str, str, str],
    kind: str = "wordprocessingml.document",
    strict: bool = False,
    **parts: str,
) -> bytes:
    """A document with this body; ``parts`` by the names of their files in ``word/``."""
    named = {f"word/{name}.xml": text for name, text in parts.items()}
    main = root("w:document", f"<w:body>{body}</w:body>")
    own = {"word/document.xml": main, "word/_rels/document.xml.rels": relations(*targets)}
    return package("word/document.xml", kind, own | named, strict=strict)


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{run(text)}</w:p>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def workbook(
    *rows: str,
    strings: tuple[str, ...] = (),
    styles: str = "",
    after: str = "",
    more: Parts | None = None,
    **options: str,
) -> bytes:
    """A workbook of one sheet; each row is its cells."""
    sheet = "".join(f"<x:row>{cells}</x:row>" for cells in rows)
    parts = {
        "xl/workbook.xml": root(
            "x:workbook", f'{options.get("book", "")}<x:sheets><x:sheet name="One" sheetId="1" r:id="s"/></x:sheets>'
        ),
        "xl/_rels/workbook.xml.rels": relations(
            ("s", "worksheet", "worksheets/sheet1.xml"),
            ("t", "sharedStrings", options.get("strings_part", "sharedStrings.xml")),
            ("f", "styles", "styles.xml"),
        ),
        "xl/worksheets/sheet1.xml": root("x:worksheet", f"<x:sheetData>{sheet}</x:sheetData>{after}"),
        "xl/sharedStrings.xml": root("x:sst", "".join(f"<x:si>{each}</x:si>" for each in strings)),
        "xl/styles.xml": root("x:styleSheet", styles),
    }
    return package("xl/workbook.xml", options.get("kind", "spreadsheetml.sheet"), parts | (more or {}))


def slides(
    *trees: str, kind: str = "presentationml.presentation", more: Parts | None = None, strict: bool = False
) -> bytes:
    """A presentation; each slide is the shapes of its tree."""
    parts = {
        "ppt/presentation.xml": root(
            "p:presentation",
            "<p:sldIdLst>" + "".join(f'<p:sldId id="{n}" r:id="s{n}"/>' for n in range(len(trees))) + "</p:sldIdLst>",
        ),
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"s{n}", "slide", f"slides/{n}.xml") for n in range(len(trees)))
        ),
    }
    for number, tree in enumerate(trees):
        parts[f"ppt/slides/{number}.xml"] = root("p:sld", f"<p:cSld><p:spTree>{tree}</p:spTree></p:cSld>")
    return package("ppt/presentation.xml", kind, parts | (more or {}), strict=strict)


def shape(text: str, top: int = 0, left: int = 0, *, placeholder: str = "", hidden: str = "0") -> str:
    """A shape with this text; ``placeholder`` are the attributes of one, which has no place of its own."""
    place = "" if placeholder else f'<a:xfrm><a:off x="{left}" y="{top}"/></a:xfrm>'
    mark = f"<p:ph {placeholder}/>" if placeholder else ""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="n" hidden="{hidden}"/><p:nvPr>{mark}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{place}</p:spPr><p:txBody>{lines(text)}</p:txBody></p:sp>"
    )


def lines(text: str) -> str:
    return "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
