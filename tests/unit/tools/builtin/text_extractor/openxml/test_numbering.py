"""Numbers of paragraphs, as Word shows them."""

from __future__ import annotations

import pytest

from docfleet.tools.builtin.text_extractor.openxml.numerals import numeral
from tests.unit.tools.builtin.text_extractor.documents import Extract
from tests.unit.tools.builtin.text_extractor.openxml.packages import paragraph, root, word

LISTED = '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'


def level(at: int, text: str, kind: str = "decimal", more: str = "", start: int = 1) -> str:
    look = f'<w:start w:val="{start}"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/>{more}'
    return f'<w:lvl w:ilvl="{at}">{look}</w:lvl>'


OUTLINE = level(0, "%1.") + level(1, "%1.%2", "lowerLetter") + level(2, "(%3)", "lowerRoman")
BULLETS = level(0, "\uf0b7", "bullet", '<w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr>') + level(1, "o", "bullet")


def item(text: str, number: int = 1, at: int = 0) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>')


def numbered(body: str, *definitions: str, overrides: str = "", styles: str = "") -> bytes:
    """``definitions`` are the levels of the lists 1, 2, ...; the list 9 is the first one with ``overrides``."""
    lists = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{each}</w:abstractNum>' for n, each in enumerate(definitions)
    )
    names = "".join(f'<w:num w:numId="{n + 1}"><w:abstractNumId w:val="{n}"/></w:num>' for n in range(len(definitions)))
    again = f'<w:num w:numId="9"><w:abstractNumId w:val="0"/>{overrides}</w:num>'
    return word(
        body,
        ("n", "numbering", "numbering.xml"),
        ("s", "styles", "styles.xml"),
        numbering=root("w:numbering", lists + names + again),
        styles=root("w:styles", styles),
    )


def test_levels_count_and_begin_again(extract: Extract) -> None:
    body = item("a") + item("b", at=1) + item("c", at=1) + item("d", at=2) + item("e") + item("f", at=1)
    assert extract(numbered(body, OUTLINE)).splitlines() == ["1. a", "1.a b", "1.b c", "(i) d", "2. e", "2.a f"]


def test_lists_of_one_definition_share_a_count_unless_one_starts_again(extract: Extract) -> None:
    body = item("a") + item("b", 9) + item("c", 9) + item("d")
    assert extract(numbered(body, OUTLINE)).splitlines() == ["1. a", "2. b", "3. c", "4. d"]
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    assert extract(numbered(body, OUTLINE, overrides=start)).splitlines() == ["1. a", "5. b", "6. c", "7. d"]


def test_a_level_that_never_begins_again(extract: Extract) -> None:
    levels = level(0, "%1.") + level(1, "No. %2", more='<w:lvlRestart w:val="0"/>')
    body = item("a") + item("b", at=1) + item("c") + item("d", at=1)
    assert extract(numbered(body, levels)).splitlines() == ["1. a", "No. 1 b", "2. c", "No. 2 d"]


def test_words_and_legal_numbers(extract: Extract) -> None:
    levels = level(0, "Section %1.", "upperRoman", start=7) + level(1, "%1.%2", more="<w:isLgl/>")
    assert extract(numbered(item("a") + item("b", at=1), levels)).splitlines() == ["Section VII. a", "7.1 b"]


def test_bullets_and_empty_items(extract: Extract) -> None:
    body = item("a", 2) + item("", 2) + item("b", 2, 1) + item("") + item("c")
    assert extract(numbered(body, OUTLINE, BULLETS)).splitlines() == ["• a", "", "• b", "1. ", "2. c"]


def test_a_heading_is_numbered_by_its_style(extract: Extract) -> None:
    levels = level(0, "%1") + level(1, "%1.%2", more='<w:pStyle w:val="H2"/>')
    styles = (
        f'<w:style w:type="paragraph" w:styleId="H1">{LISTED}</w:style>'
        f'<w:style w:type="paragraph" w:styleId="H2"><w:basedOn w:val="H1"/>{LISTED}</w:style>'
    )
    body = "".join(paragraph(text, f'<w:pStyle w:val="{style}"/>') for text, style in (("a", "H1"), ("b", "H2")))
    plain = paragraph("c", '<w:pStyle w:val="H1"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    assert extract(numbered(body + plain, levels, styles=styles)).splitlines() == ["1 a", "1.1 b", "c"]


def test_deleted_and_hidden_items_are_not_counted(extract: Extract) -> None:
    gone = '<w:p><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr><w:rPr><w:del/></w:rPr></w:pPr></w:p>'
    assert extract(numbered(item("a") + gone + item("b"), OUTLINE)).splitlines() == ["1. a", "2. b"]


@pytest.mark.parametrize(
    ("count", "kind", "expected"),
    [
        (4, "lowerRoman", "iv"),
        (28, "upperLetter", "BB"),
        (3, "ordinal", "3rd"),
        (12, "ordinal", "12th"),
        (7, "decimalZero", "07"),
        (2, "decimalEnclosedCircle", "②"),
        (21, "decimalEnclosedCircle", "21"),
        (23, "chineseCounting", "二十三"),
        (2, "russianLower", "\N{CYRILLIC SMALL LETTER BE}"),
        (3, "a writing of the future", "3"),
        (3, "none", ""),
        (0, "lowerRoman", "0"),
        (9999, "upperRoman", "9999"),
    ],
)
def test_numerals(count: int, kind: str, expected: str) -> None:
    assert numeral(count, kind) == expected
