"""OpenDocument: what stands on its pages, and nothing that was taken out."""

from __future__ import annotations

import io
import zipfile

import pytest

from docfleet.tools.sdk import media
from tests.unit.tools.builtin.text_extractor.documents import Extract

_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("style", "style"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
        ("form", "form"),
        ("svg", "svg-compatible"),
    )
)


def _archive(kind: str, body: str, masters: str = "", mime: str = media.ODT, styles: str = "") -> bytes:
    buffer = io.BytesIO()
    automatic = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mime, zipfile.ZIP_STORED)
        archive.writestr(
            "content.xml",
            f"<office:document-content {_SPACES}>{automatic}<office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
        )
        archive.writestr(
            "styles.xml",
            f"<office:document-styles {_SPACES}><office:master-styles>{masters}</office:master-styles>"
            "</office:document-styles>",
        )
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return buffer.getvalue()


def _master(name: str, header: str, footer: str = "", more: str = "") -> str:
    return (
        f'<style:master-page style:name="{name}" {more}><style:header><text:p>{header}</text:p></style:header>'
        f"<style:footer>{footer}</style:footer></style:master-page>"
    )


def test_headers_and_footers_of_the_pages_in_use(extract: Extract) -> None:
    masters = (
        _master("Standard", "Harbour Works", "<text:p>VAT DE999</text:p>")
        + _master("First", "First page", more='style:next-style-name="Standard"')
        + _master("Envelope", "unused")
    )
    style = '<style:style style:name="P1" style:master-page-name="First"/>'
    text = extract(_archive("text", "<text:p>body</text:p>", masters, styles=style), "a.odt")
    assert text.split("\n") == ["First page", "Harbour Works", "body", "VAT DE999", ""]


def test_the_number_of_the_page_is_no_text_of_the_document(extract: Extract) -> None:
    footer = "<text:p>Page <text:page-number>1</text:page-number></text:p><text:p>Bank IE12</text:p>"
    assert extract(_archive("text", "<text:p>body</text:p>", _master("Standard", "", footer))) == "body\nBank IE12\n"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
            "</text:changed-region></text:tracked-changes><text:p>Kept<text:change/> text</text:p>",
            "Kept text\n",
        ),
        (
            "<text:p>Line one<draw:frame><draw:text-box><text:p>box</text:p><text:p>second</text:p></draw:text-box>"
            "<svg:desc>picture</svg:desc></draw:frame> tail</text:p><text:p>next</text:p>",
            "Line one tail\nbox\nsecond\nnext\n",
        ),
        (
            "<text:p>Terms<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>net</text:p>"
            "</text:note-body></text:note> apply</text:p>",
            "Terms apply\nnet\n",
        ),
        (
            '<text:p>a<text:s text:c="2"/>b<text:tab/>c<text:line-break/>d\n   e<text:span>f</text:span></text:p>',
            "a  b\tc\nd ef\n",
        ),
        (
            "<text:table-of-content><text:table-of-content-source><text:index-title-template>T</text:index-title-template>"
            "</text:table-of-content-source><text:index-body><text:p>One 1</text:p></text:index-body>"
            "</text:table-of-content>",
            "One 1\n",
        ),
        ("<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>", "item\n"),
        ("<draw:custom-shape><text:p>in a shape</text:p></draw:custom-shape>", "in a shape\n"),
        ('<office:forms><form:form><form:text form:current-value="Ada"/></form:form></office:forms>', "Ada\n"),
        ("<text:p><draw:frame><draw:image><office:binary-data>AAAA</office:binary-data></draw:image></draw:frame>x"
         "</text:p>", "x\n"),
    ],
)  # fmt: skip
def test_what_stands_in_a_text(extract: Extract, body: str, text: str) -> None:
    assert extract(_archive("text", body), "a.odt") == text
    flat = (
        f'<?xml version="1.0"?><office:document {_SPACES} office:mimetype="{media.ODT}"><office:body><office:text>'
        f"{body}</office:text></office:body></office:document>"
    )
    assert extract(flat.encode(), "a.fodt") == text
    assert extract(flat.encode("utf-16"), "a.xml") == text


def _cell(text: str, more: str = "") -> str:
    return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"


def test_cells_and_rows_that_are_repeated_keep_their_places(extract: Extract) -> None:
    gap = '<table:table-cell table:number-columns-repeated="2"/>'
    end = '<table:table-cell table:number-columns-repeated="16000"/>'
    rows = (
        f"<table:table-row>{_cell('a')}{gap}{_cell('d')}{end}</table:table-row>"
        f"<table:table-row>{_cell('e')}<table:covered-table-cell/>{_cell('g')}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="2">'
        f"{_cell('x', 'table:number-columns-repeated="3"')}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="1000000">{end}</table:table-row>'
        '<table:table-row><table:table-cell office:value="7.5"/></table:table-row>'
    )
    tables = f'<table:table table:name="One">{rows}</table:table><table:table table:name="Two"/>'
    unseen = "<table:content-validations><text:p>enter a number</text:p></table:content-validations>"
    text = extract(_archive("spreadsheet", unseen + tables, mime=media.ODS), "a.ods")
    assert text.split("\f")[0].split("\n") == ["Sheet: One", "a\t\t\td", "e\t\tg", "x\tx\tx", "x\tx\tx", "7.5", ""]
    assert text.split("\f")[1] == "Sheet: Two\n[this sheet has no cells with content]\n"


def test_rows_that_are_repeated_without_end_are_refused(extract: Extract) -> None:
    row = f'<table:table-row table:number-rows-repeated="300000">{_cell("words")}</table:table-row>'
    book = _archive("spreadsheet", f'<table:table table:name="One">{row}</table:table>', mime=media.ODS)
    error = extract(book, "a.ods", fails=True, max_expanded_megabytes=1)
    assert error.error_code == "file_too_large" and "max_expanded_megabytes" in error.log


def test_slides_are_pages_with_their_notes_and_what_their_master_shows(extract: Extract) -> None:
    box = "<draw:frame {0}><draw:text-box><text:p>{1}</text:p></draw:text-box></draw:frame>"
    slide = (
        '<draw:page draw:master-page-name="M" presentation:use-footer-name="F">{0}<presentation:notes>{1}'
        "</presentation:notes></draw:page>"
    )
    masters = (
        f'<style:master-page style:name="M">{box.format("", "Harbour Works")}'
        f"{box.format('presentation:class="title"', 'Click to edit')}</style:master-page>"
    )
    slides = (
        '<presentation:footer-decl presentation:name="F">Confidential</presentation:footer-decl>'
        + slide.format(box.format("", "One"), box.format("", "say it"))
        + slide.format(
            box.format("", "Two") + box.format('presentation:placeholder="true"', "Click"), "<text:p></text:p>"
        )
    )
    text = extract(_archive("presentation", slides, masters, media.ODP), "a.odp")
    assert text == "One\nNotes: say it\nHarbour Works\nConfidential\n\fTwo\n"


@pytest.mark.parametrize("mime", sorted(media.OPENDOCUMENT))
def test_templates_and_drawings_are_read_as_documents(extract: Extract, mime: str) -> None:
    kinds = {media.ODS: "spreadsheet", media.ODP: "presentation", media.ODG: "drawing"}
    kind = next((kinds[each] for each in kinds if mime.startswith(each)), "text")
    bodies = {
        "text": "<text:p>words</text:p>",
        "spreadsheet": f"<table:table><table:table-row>{_cell('words')}</table:table-row></table:table>",
    }
    body = bodies.get(kind, "<draw:page><draw:g><draw:rect><text:p>words</text:p></draw:rect></draw:g></draw:page>")
    assert "words" in extract(_archive(kind, body, mime=mime), "document")


def test_lists_and_headings_have_the_numbers_that_pages_show(extract: Extract) -> None:
    def level(number: int, kind: str, more: str = "") -> str:
        return f'<text:list-level-style-number text:level="{number}" style:num-format="{kind}" {more}/>'

    styles = (
        '<text:list-style style:name="L">'
        + level(1, "1", 'style:num-suffix="."')
        + level(2, "a", 'style:num-prefix="(" style:num-suffix=")"')
        + '</text:list-style><text:list-style style:name="D">'
        + level(1, "I", 'text:start-value="4"')
        + level(2, "1", 'text:display-levels="2" style:num-suffix=")"')
        + '</text:list-style><text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/>'
        "</text:list-style>"
    )
    outline = f"<text:outline-style>{level(1, '1')}{level(2, '1', 'text:display-levels="2"')}</text:outline-style>"
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = f"<text:list>{item.format('x', '')}{item.format('y', '<text:p>more</text:p>')}</text:list>"
    body = (
        f'<text:list text:style-name="L">{item.format("one", inner)}{item.format("two", "")}</text:list>'
        f'<text:list text:style-name="L" text:continue-numbering="true">{item.format("three", inner)}</text:list>'
        f'<text:list text:style-name="L">{item.format("again", "")}</text:list>'
        f'<text:list text:style-name="D">{item.format("four", inner)}</text:list>'
        f'<text:list text:style-name="B">{item.format("dot", "")}</text:list>'
        '<text:h text:outline-level="1">A</text:h><text:h text:outline-level="2">B</text:h>'
        '<text:h text:outline-level="1">C</text:h><text:h text:outline-level="2">D</text:h>'
    )
    lines = extract(_archive("text", body, outline, styles=styles), "a.odt").split("\n")
    assert lines == [
        "1. one", "(a) x", "(b) y", "more", "2. two", "3. three", "(a) x", "(b) y", "more", "1. again",
        "IV four", "IV.1) x", "IV.2) y", "more", "dot", "1 A", "1.1 B", "2 C", "2.1 D", "",
    ]  # fmt: skip
