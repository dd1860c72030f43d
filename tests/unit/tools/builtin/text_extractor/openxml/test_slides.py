"""Presentations: what the slides show, from top to bottom."""

from __future__ import annotations

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract
from tests.unit.tools.builtin.text_extractor.openxml.packages import lines, package, relations, root, shape, slides

INCH = 914_400


def test_shapes_are_read_by_their_places(extract: Extract) -> None:
    group = f'<p:grpSp><p:nvGrpSpPr/><p:grpSpPr><a:xfrm><a:off x="0" y="{INCH}"/></a:xfrm></p:grpSpPr>'
    tree = (
        shape("last", 4 * INCH)
        + shape("right", 2 * INCH, INCH)
        + shape("left", 2 * INCH + 1000)
        + f"{group}{shape('lower', 9)}{shape('inner', 0)}{shape('not seen', hidden='1')}</p:grpSp>"
    )
    # Heights that differ by less than a tenth of an inch are one line; within it the left comes first.
    assert extract(slides(tree)) == "lower\ninner\nleft\nright\nlast\n"


def test_a_placeholder_stands_where_its_layout_has_it(extract: Extract) -> None:
    def layout(name: str, top: int) -> str:
        return shape("prompt", top).replace("<p:nvPr>", f"<p:nvPr><p:ph {name}/>")

    tree = (
        shape("body", placeholder='idx="1"') + shape("title", placeholder='type="title"') + shape("between", 2 * INCH)
    )
    placed = layout('type="title"', INCH) + layout('idx="1"', 3 * INCH) + shape("Acme GmbH")
    more = {
        "ppt/slides/_rels/0.xml.rels": relations(("l", "slideLayout", "../layout.xml")),
        "ppt/slides/_rels/1.xml.rels": relations(("l", "slideLayout", "../layout.xml")),
        "ppt/layout.xml": root("p:sldLayout", f"<p:cSld><p:spTree>{placed}</p:spTree></p:cSld>"),
    }
    # What all slides of a layout show is said once, and what it prompts for is not.
    assert extract(slides(tree, shape("two"), more=more)) == "title\nbetween\nbody\nAcme GmbH\n\ftwo\n"


def test_tables_lists_and_fields(extract: Extract) -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody>{lines(text)}</a:txBody></a:tc>"

    wide = cell("wide", 'gridSpan="2"') + cell("covered", 'hMerge="1"')
    rows = f"<a:tr>{wide}{cell('c')}</a:tr><a:tr>{cell('two' + chr(10) + 'lines')}{cell('b')}{cell('')}</a:tr>"
    table = (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    auto = '<a:pPr><a:buAutoNum type="alphaLcParenR" startAt="2"/></a:pPr>'
    one = f"<a:p>{auto}<a:r><a:t>one</a:t></a:r></a:p>"
    body = f"{one}<a:p>{auto}<a:r><a:t>two</a:t></a:r><a:br/><a:fld><a:t>7</a:t></a:fld></a:p>"
    tree = table + f"<p:sp><p:txBody>{body}</p:txBody></p:sp>"
    assert extract(slides(tree)) == "wide\t\tc\ntwo lines\tb\nb) one\nc) two\n7\n"


def test_notes_and_comments(extract: Extract) -> None:
    notes = shape("say this", placeholder='type="body"') + shape("3", placeholder='type="sldNum"')
    more = {
        "ppt/slides/_rels/0.xml.rels": relations(
            ("n", "notesSlide", "../notes.xml"), ("c", "comments", "../comments.xml")
        ),
        "ppt/notes.xml": root("p:notes", f"<p:cSld><p:spTree>{notes}</p:spTree></p:cSld>"),
        "ppt/comments.xml": root("p:cmLst", "<p:cm><p:text>check</p:text></p:cm>"),
    }
    assert extract(slides(shape("title"), more=more)) == "title\nNotes: say this\nComment: check\n"


@pytest.mark.parametrize(
    "kind",
    [
        "presentationml.template",
        "presentationml.slideshow",
        "application/vnd.ms-powerpoint.presentation.macroEnabled",
        "application/vnd.ms-powerpoint.template.macroEnabled",
        "application/vnd.ms-powerpoint.slideshow.macroEnabled",
    ],
)
def test_templates_shows_and_macros(extract: Extract, kind: str) -> None:
    assert extract(slides(shape("title"), kind=kind)) == "title\n"


def test_strict_open_xml_is_read(extract: Extract) -> None:
    assert extract(slides(shape("title"), strict=True)) == "title\n"


def test_hidden_and_missing_slides_are_named(extract: Extract) -> None:
    hidden = {"ppt/slides/1.xml": root("p:sld", f"<p:cSld><p:spTree>{shape('b')}</p:spTree></p:cSld>", 'show="0"')}
    result = extract(slides(shape("a"), "", more=hidden), output="json")
    assert (result["pages"], result["metadata"]["hidden_slides"]) == (["a", "b"], [2])
    listed = root("p:presentation", '<p:sldIdLst><p:sldId r:id="s0"/><p:sldId r:id="gone"/></p:sldIdLst>')
    assert "[this slide is missing in the file]" in extract(slides(shape("a"), more={"ppt/presentation.xml": listed}))
    nothing = package("ppt/presentation.xml", "presentationml.presentation", {"ppt/presentation.xml": listed})
    assert "lacks its slides" in extract(nothing, fails=True).log
