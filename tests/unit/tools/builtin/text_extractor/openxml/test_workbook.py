"""Workbooks: cells as Excel shows them, whatever else is wrong with the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk import words
from docfleet.tools.sdk.grounding import WordIndex, ground
from tests.unit.tools.builtin.text_extractor.documents import Extract
from tests.unit.tools.builtin.text_extractor.openxml.packages import Parts, lines, package, relations, root, workbook

HELLO = ("<x:t>hello</x:t>",)
SHARED = '<x:c r="A1" t="s"><x:v>0</x:v></x:c>'


def test_cells_of_each_kind(extract: Extract) -> None:
    cells = (
        '<x:c t="s"><x:v>0</x:v></x:c>'
        '<x:c t="inlineStr"><x:is><x:r><x:t>in</x:t></x:r><x:r><x:t>line</x:t></x:r></x:is></x:c>'
        '<x:c t="b"><x:v>1</x:v></x:c><x:c t="e"><x:v>#N/A</x:v></x:c>'
        '<x:c t="str"><x:f>A1</x:f><x:v>a_x000D_\nb</x:v></x:c>'
        '<x:c s="1"><x:v>0.19</x:v></x:c><x:c s="2"><x:v>45356</x:v></x:c><x:c t="d" s="2"><x:v>2024-03-06</x:v></x:c>'
        '<x:c t="s"><x:v>99</x:v></x:c><x:c><x:v>1.1000000000000001</x:v></x:c>'
    )
    styles = (
        '<x:numFmts><x:numFmt numFmtId="170" formatCode="0.0%"/></x:numFmts><x:cellXfs><x:xf numFmtId="0"/>'
        '<x:xf numFmtId="170"/><x:xf numFmtId="14"/></x:cellXfs>'
    )
    strings = ("<x:r><x:t>rich </x:t></x:r><x:r><x:t>text</x:t></x:r><x:rPh><x:t>guide</x:t></x:rPh>",)
    expected = "rich text\tinline\tTRUE\t#N/A\ta b\t19.0%\t2024-03-05\t2024-03-06\t\t1.1"
    assert extract(workbook(cells, strings=strings, styles=styles)) == f"Sheet: One\n{expected}\n"


def test_places_of_cells_and_rows(extract: Extract) -> None:
    parts = {
        "xl/workbook.xml": root("x:workbook", '<x:sheets><x:sheet name="S" r:id="s"/></x:sheets>'),
        "xl/_rels/workbook.xml.rels": relations(("s", "worksheet", "/xl/sheet.xml")),
        "xl/sheet.xml": root(
            "x:worksheet",
            '<x:sheetData><x:row r="1"><x:c r="B1"><x:v>1</x:v></x:c><x:c r="D1"><x:v>2</x:v></x:c></x:row>'
            '<x:row r="900000"><x:c r="C900000"><x:v>3</x:v></x:c></x:row></x:sheetData>',
        ),
    }
    assert extract(package("xl/workbook.xml", "spreadsheetml.sheet", parts)) == "Sheet: S\n\t1\t\t2\n\n\t\t3\n"


def test_covered_cells_of_a_merged_one_are_not_shown(extract: Extract) -> None:
    row = "".join(f'<x:c r="{letter}{{0}}"><x:v>{{0}}{at}</x:v></x:c>' for at, letter in enumerate("ABC"))
    merged = '<x:mergeCells><x:mergeCell ref="A1:B2"/><x:mergeCell ref="C3"/><x:mergeCell ref="?"/></x:mergeCells>'
    text = extract(workbook(*(row.format(number) for number in (1, 2, 3)), after=merged))
    assert text == "Sheet: One\n10\t\t12\n\t\t22\n30\t31\t32\n"


def test_a_cell_is_a_word_with_its_name(extract: Extract, tmp_path: Path) -> None:
    cells = '<x:c r="B2" t="s"><x:v>0</x:v></x:c><x:c r="AA2"><x:v>2</x:v></x:c>'
    extract(workbook("<x:c><x:v>7</x:v></x:c>", cells, strings=("<x:t>Total amount</x:t>",)))
    (page,) = words.load(tmp_path / "WORDS")
    assert (page.name, page.width) == ("One", 0)
    assert [(word.text, word.place) for word in page.words] == [("7", "A1"), ("Total amount", "B2"), ("2", "AA2")]
    found = ground("total AMOUNT", WordIndex([page]))
    assert (found.place, found.quote, found.boxes) == ("B2", "Total amount", [])


def test_a_wide_sheet_is_written_without_its_empty_columns(extract: Extract) -> None:
    cells = '<x:c r="A1"><x:v>1</x:v></x:c><x:c r="XFD1"><x:v>2</x:v></x:c>'
    assert extract(workbook(cells)) == "Sheet: One\n1\t2\n"


@pytest.mark.parametrize(
    "styles",
    [
        "<x:fills><x:fill/></x:fills>",
        '<x:cellStyles><x:cellStyle xfId="0"/></x:cellStyles>',
        '<x:fonts made="up"/>',
        "<",
    ],
    ids=["empty fill", "no name", "unknown attribute", "no XML"],
)
def test_broken_styles_do_not_matter(extract: Extract, styles: str) -> None:
    assert extract(workbook(SHARED, strings=HELLO, styles=styles)) == "Sheet: One\nhello\n"


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"strings_part": "SharedStrings.xml"}, {}),
        ({"strings_part": "..\\xl\\sharedStrings.xml"}, {}),
        ({"kind": "SPREADSHEETML.SHEET"}, {}),
        ({"book": '<x:externalReferences><x:externalReference r:id="gone"/></x:externalReferences>'}, {}),
        ({"kind": "spreadsheetml.template"}, {}),
        ({"kind": "application/vnd.ms-excel.sheet.macroEnabled"}, {}),
        ({"kind": "application/vnd.ms-excel.template.macroEnabled"}, {}),
        ({}, {"xl/worksheets/_rels/sheet1.xml.rels": relations(("d", "drawing", "../nowhere.xml"))}),
    ],
)
def test_what_excel_opens_is_read(extract: Extract, options: dict[str, str], more: Parts) -> None:
    assert extract(workbook(SHARED, strings=HELLO, more=more, **options)) == "Sheet: One\nhello\n"


def test_strings_that_nothing_refers_to_are_found(extract: Extract) -> None:
    more = {"xl/_rels/workbook.xml.rels": relations(("s", "worksheet", "worksheets/sheet1.xml"))}
    assert extract(workbook(SHARED, strings=HELLO, more=more)) == "Sheet: One\nhello\n"


def test_names_of_parts_with_backslashes(extract: Extract) -> None:
    content = workbook(SHARED, strings=HELLO)
    for name in (b"xl/workbook.xml", b"xl/worksheets/sheet1.xml", b"xl/_rels/workbook.xml.rels"):
        # In the headers of the archive, not in its compressed content.
        content = content.replace(name, name.replace(b"/", b"\\"))
    assert extract(content) == "Sheet: One\nhello\n"


def test_the_calendar_of_1904(extract: Extract) -> None:
    styles = '<x:cellXfs><x:xf numFmtId="14"/></x:cellXfs>'
    content = workbook('<x:c s="0"><x:v>43894</x:v></x:c>', styles=styles, book='<x:workbookPr date1904="1"/>')
    assert extract(content) == "Sheet: One\n2024-03-05\n"


def test_what_lies_over_the_cells(extract: Extract) -> None:
    header = '&amp;L&amp;"Arial,Bold"&amp;12Acme GmbH&amp;RPage &amp;P'
    after = f"<x:headerFooter><x:oddHeader>{header}</x:oddHeader></x:headerFooter>"
    drawing = f"<xdr:sp><xdr:txBody>{lines('in a box')}</xdr:txBody></xdr:sp>"
    more = {
        "xl/worksheets/_rels/sheet1.xml.rels": relations(
            ("d", "drawing", "../drawings/d.xml"), ("c", "comments", "../comments1.xml")
        ),
        "xl/drawings/d.xml": root("xdr:wsDr", drawing),
        "xl/comments1.xml": root(
            "x:comments", '<x:comment ref="A1"><x:text><x:r><x:t>look</x:t></x:r></x:text></x:comment>'
        ),
    }
    text = extract(workbook(SHARED, strings=HELLO, after=after, more=more))
    assert text == "Sheet: One\nhello\nAcme GmbH\nPage\nin a box\nComment (A1): look\n"


def test_a_hidden_sheet_is_kept_and_named(extract: Extract) -> None:
    sheets = '<x:sheets><x:sheet name="A" r:id="s"/><x:sheet name="B" state="hidden" r:id="s"/></x:sheets>'
    content = workbook(SHARED, strings=HELLO, more={"xl/workbook.xml": root("x:workbook", sheets)})
    assert extract(content, output="json")["metadata"]["hidden_sheets"] == ["B"]


def test_a_sheet_that_is_missing_is_said(extract: Extract) -> None:
    sheets = '<x:sheets><x:sheet name="A" r:id="s"/><x:sheet name="B" r:id="gone"/></x:sheets>'
    content = workbook(SHARED, strings=HELLO, more={"xl/workbook.xml": root("x:workbook", sheets)})
    assert "Sheet: B\n[this sheet is missing in the file]" in extract(content)
    sheets = '<x:sheets><x:sheet name="B" r:id="gone"/></x:sheets>'
    content = workbook(SHARED, more={"xl/workbook.xml": root("x:workbook", sheets)})
    assert "lacks its sheets" in extract(content, fails=True).log


def test_a_string_shown_by_many_cells_is_a_bomb(extract: Extract) -> None:
    strings = (f"<x:t>{'x' * 1_000_000}</x:t>",)
    rows = ['<x:c t="s"><x:v>0</x:v></x:c>'] * 70
    content = workbook(*rows, strings=strings)
    error = extract(content, fails=True, max_expanded_megabytes=50)
    assert (error.error_code, "looks like a bomb" in error.log) == ("file_too_large", True)


def test_empty_columns_and_rows_are_a_bomb(extract: Extract) -> None:
    wide = "".join(f'<x:c r="{chr(65 + n // 26)}{chr(65 + n % 26)}1"><x:v>1</x:v></x:c>' for n in range(500))
    rows = ['<x:c r="ZZZ2"><x:v>1</x:v></x:c>'] * 30_000
    error = extract(workbook(wide, *rows), fails=True, max_expanded_megabytes=10)
    assert (error.error_code, "looks like a bomb" in error.log) == ("file_too_large", True)
