"""Word documents: what a reader sees, once, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract
from tests.unit.tools.builtin.text_extractor.openxml.packages import (
    lines,
    package,
    paragraph,
    relations,
    root,
    run,
    word,
)

BOX = "<w:txbxContent>" + paragraph("in the box") + "</w:txbxContent>"
DRAWN = (
    "<w:drawing><wp:inline><a:graphic><a:graphicData><wps:wsp><wps:txbx>"
    f"{BOX}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing>"
)
SPAN = '<w:gridSpan w:val="2"/>'
SECRET = '<w:rStyle w:val="Secret"/>'
SHOWN = '<w:vanish w:val="0"/>'
PAINTED = f"<w:pict><v:shape><v:textbox>{BOX}</v:textbox></v:shape></w:pict>"

WEB_ARCHIVE = (
    'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"; type="text/html"\r\n\r\n--b\r\n'
    "Content-Type: text/html; charset=utf-8\r\nContent-Location: file:///a.htm\r\n\r\n<html><body><p>merged in</p>"
    "</body></html>\r\n--b--\r\n"
)


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def control(content: str, properties: str = "<w:text/>") -> str:
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"


def field(instruction: str, result: str) -> str:
    marks = [f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")]
    return f"{marks[0]}<w:r><w:instrText>{instruction}</w:instrText></w:r>{marks[1]}{result}{marks[2]}"


@pytest.mark.parametrize(
    "anchor",
    [
        DRAWN,
        PAINTED,
        f'<mc:AlternateContent><mc:Choice Requires="wps">{DRAWN}</mc:Choice><mc:Fallback>{PAINTED}</mc:Fallback>'
        "</mc:AlternateContent>",
        f'<mc:AlternateContent><mc:Choice Requires="wpx"><w:drawing/></mc:Choice><mc:Fallback>{PAINTED}</mc:Fallback>'
        "</mc:AlternateContent>",
    ],
    ids=["drawing", "vml", "both", "only the fallback has text"],
)
def test_a_text_box_stands_once_after_its_paragraph(extract: Extract, anchor: str) -> None:
    body = f"<w:p>{run('anchor')}<w:r>{anchor}</w:r>{run(' text')}</w:p>" + paragraph("after")
    assert extract(word(body)) == "anchor text\nin the box\nafter\n"


def test_word_art_is_text_and_a_hidden_drawing_is_not(extract: Extract) -> None:
    art = '<w:pict><v:shape style="{}"><v:textpath string="{}"/></v:shape></w:pict>'
    body = f"<w:p><w:r>{art.format('', 'DRAFT')}{art.format('visibility:hidden', 'NOT SEEN')}</w:r></w:p>"
    assert extract(word(body)).split() == ["DRAFT"]


def test_content_controls_at_every_level(extract: Extract) -> None:
    row = f"<w:tr>{control(cell(control(paragraph('deep'))))}{cell(paragraph('x'))}</w:tr>"
    table = f"<w:tbl>{control(row)}</w:tbl>"
    body = control(paragraph("block")) + f"<w:p>{run('no. ')}{control(control(run('4711')))}{run(' of')}</w:p>" + table
    assert extract(word(body)) == "block\nno. 4711 of\ndeep\tx\n"


def test_a_control_bound_to_data_shows_the_data(extract: Extract) -> None:
    binding = '<w:text/><w:dataBinding w:prefixMappings="xmlns:n=\'urn:o\'" w:xpath="{}" w:storeItemID="{{ABC}}"/>'
    stored, unknown = (
        control(run("old"), binding.format(path)) for path in ("/n:order[1]/n:number[2]", "/n:order[1]/n:other[1]")
    )
    parts = {
        "word/document.xml": root("w:document", f"<w:body><w:p>{stored}{run(' ')}{unknown}</w:p></w:body>"),
        "word/_rels/document.xml.rels": relations(("d", "customXml", "../customXml/item1.xml")),
        "customXml/item1.xml": "<n:order xmlns:n='urn:o'><n:number>1</n:number><n:number>4711</n:number></n:order>",
        "customXml/_rels/item1.xml.rels": relations(("p", "customXmlProps", "props1.xml")),
        "customXml/props1.xml": root("ds:datastoreItem", "", 'ds:itemID="{abc}"'),
    }
    assert extract(package("word/document.xml", "wordprocessingml.document", parts)) == "4711 old\n"


def test_tracked_changes_are_shown_as_accepted(extract: Extract) -> None:
    deleted_row = f"<w:tr><w:trPr><w:del/></w:trPr>{cell(paragraph('row gone'))}{cell(paragraph('-'))}</w:tr>"
    kept_row = (
        f"<w:tr>{cell(paragraph('kept'))}{cell(paragraph('cell gone'), '<w:cellDel/>')}{cell(paragraph('2'))}</w:tr>"
    )
    body = (
        f"<w:p>{run('price ')}<w:del><w:r><w:delText>90</w:delText></w:r></w:del><w:ins>{run('120')}</w:ins></w:p>"
        f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{run('first half ')}</w:p>{paragraph('second half')}"
        f"<w:p><w:moveFrom>{run('moved away')}</w:moveFrom></w:p><w:p><w:moveTo>{run('moved here')}</w:moveTo></w:p>"
        f"<w:tbl>{deleted_row}{kept_row}</w:tbl>"
    )
    assert extract(word(body)) == "price 120\nfirst half second half\n\nmoved here\nkept\t2\n"


def test_headers_of_every_page_and_section_stand_once(extract: Extract) -> None:
    kinds = ("default", "first", "even")
    references = "".join(f'<w:headerReference w:type="{kind}" r:id="{kind}"/>' for kind in kinds)
    section = f'<w:sectPr>{references}<w:footerReference w:type="first" r:id="foot"/><w:titlePg/></w:sectPr>'
    again = '<w:sectPr><w:headerReference w:type="default" r:id="copy"/></w:sectPr>'
    parts = {kind: root("w:hdr", paragraph(f"{kind} head")) for kind in kinds}
    content = word(
        paragraph("body", section) + again,
        *((kind, "header", f"{kind}.xml") for kind in kinds),
        ("copy", "header", "copy.xml"),
        ("foot", "footer", "foot.xml"),
        **parts,
        copy=root("w:hdr", paragraph("default head")),
        foot=root("w:ftr", paragraph("VAT DE999")),
    )
    assert extract(content) == "default head\nfirst head\neven head\nbody\nVAT DE999\n"


def test_notes_and_comments_follow_the_text(extract: Extract) -> None:
    body = f'<w:p>{run("100")}<w:r><w:footnoteReference w:id="2"/><w:endnoteReference w:id="3"/></w:r></w:p>'
    notes = '<w:footnote w:id="0" w:type="separator"/>' + "".join(
        f'<w:footnote w:id="{name}"><w:p><w:r><w:footnoteRef/></w:r>{run(text)}</w:p></w:footnote>'
        for name, text in (("1", "never referred to"), ("2", " two percent"))
    )
    content = word(
        body,
        ("f", "footnotes", "footnotes.xml"),
        ("e", "endnotes", "endnotes.xml"),
        ("c", "comments", "comments.xml"),
        footnotes=root("w:footnotes", notes),
        endnotes=root("w:endnotes", f'<w:endnote w:id="3">{paragraph("at the end")}</w:endnote>'),
        comments=root("w:comments", f'<w:comment w:id="1">{paragraph("check this")}</w:comment>'),
    )
    # The mark keeps apart from the number before it.
    assert extract(content) == "100[1][e1]\n[1] two percent\n[e1] at the end\nComment: check this\n"


def test_merged_cells_stand_once_in_their_place(extract: Extract) -> None:
    start, more = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    two_lines = cell(paragraph("two") + paragraph("lines"))
    rows = (
        f"<w:tr>{cell(paragraph('down'), start)}{cell(paragraph('r1'))}{cell(paragraph('c1'))}</w:tr>",
        f"<w:tr>{cell(paragraph('not shown'), more)}{cell(paragraph('wide'), SPAN)}</w:tr>",
        f"<w:tr>{cell(paragraph('own'))}{cell(paragraph('begins here'), more)}{two_lines}</w:tr>",
    )
    assert extract(word(f"<w:tbl>{''.join(rows)}</w:tbl>")) == "down\tr1\tc1\n\twide\nown\tbegins here\ttwo lines\n"


def test_a_table_that_holds_tables_is_a_layout(extract: Extract) -> None:
    inner = f"<w:tbl><w:tr>{cell(paragraph('1'))}{cell(paragraph('2.50'))}</w:tr></w:tbl>"
    outer = f"<w:tbl><w:tr>{cell(paragraph('Acme') + paragraph('Street 1'))}{cell(inner)}</w:tr></w:tbl>"
    assert extract(word(outer)) == "Acme\nStreet 1\n1\t2.50\n"


def test_results_of_fields_are_text_and_instructions_are_not(extract: Extract) -> None:
    nested = field(f"IF {field('MERGEFIELD x', run('nested'))} = 1", run("yes"))
    simple = f"<w:fldSimple w:instr='DATE'>{run(' today')}</w:fldSimple>"
    body = f"<w:p>{run('Page ')}{field('PAGE', run('3'))}{nested}{simple}</w:p>"
    assert extract(word(body)) == "Page 3yes today\n"


def test_a_field_that_never_ends_takes_no_text_away(extract: Extract) -> None:
    body = '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>' + paragraph("the rest")
    assert extract(word(body)).strip() == "the rest"


def test_form_fields_show_their_values(extract: Extract) -> None:
    form = (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{}</w:ffData></w:fldChar></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    box = form.format('<w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox>')
    empty = form.format('<w:checkBox><w:default w:val="0"/></w:checkBox>')
    choice = form.format('<w:ddList><w:result w:val="1"/><w:listEntry w:val="a"/><w:listEntry w:val="b"/></w:ddList>')
    assert extract(word(f"<w:p>{box}{empty}{choice}</w:p>")) == "☒☐b\n"


def test_hidden_text_is_not_shown(extract: Extract) -> None:
    styles = root(
        "w:styles",
        '<w:style w:type="character" w:styleId="base"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="character" w:styleId="Secret"><w:basedOn w:val="base"/></w:style>',
    )
    body = (
        f"<w:p>{run('seen')}{run(' direct', '<w:vanish/>')}{run(' by style', SECRET)}"
        f"{run(' shown again', SECRET + SHOWN)}</w:p>"
    )
    assert extract(word(body, ("s", "styles", "styles.xml"), styles=styles)) == "seen shown again\n"


def test_signs_of_a_line(extract: Extract) -> None:
    body = (
        "<w:p><w:r><w:t>a</w:t><w:noBreakHyphen/><w:t>b co\xadop</w:t><w:softHyphen/><w:tab/>"
        '<w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="Symbol" w:char="F061"/><w:t>\uf0b7</w:t></w:r>'
        "<w:r><w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        "<w:r><w:br/></w:r><m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den>"
        "</m:f></m:oMath></w:p>"
    )
    assert extract(word(body)) == "a-b coop\t☑\N{GREEK SMALL LETTER ALPHA}•漢(kan)\n(a+b)/2\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chunk.html", "<html><body><p>merged in</p></body></html>"),
        ("chunk.rtf", r"{\rtf1\ansi merged in}"),
        ("chunk.txt", "merged in"),
        ("chunk.mht", WEB_ARCHIVE),
        ("chunk.docx", word(paragraph("merged in"))),
        ("chunk.bin", "\0\1\2"),
    ],
)
def test_a_document_merged_in(extract: Extract, name: str, content: str | bytes) -> None:
    parts = {
        "word/document.xml": root("w:document", f'<w:body>{paragraph("before")}<w:altChunk r:id="c"/></w:body>'),
        "word/_rels/document.xml.rels": relations(("c", "aFChunk", name)),
        f"word/{name}": content,
    }
    text = extract(package("word/document.xml", "wordprocessingml.document", parts))
    expected = "[a document merged into this one could not be read]" if name.endswith("bin") else "merged in"
    assert [line for line in text.splitlines() if line] == ["before", expected]


def test_documents_merged_into_each_other_end(extract: Extract) -> None:
    content = word(paragraph("innermost"))
    for _ in range(6):
        parts = {
            "word/document.xml": root("w:document", '<w:body><w:altChunk r:id="c"/></w:body>'),
            "word/_rels/document.xml.rels": relations(("c", "aFChunk", "c.docx")),
            "word/c.docx": content,
        }
        content = package("word/document.xml", "wordprocessingml.document", parts)
    assert extract(content) == "[a document merged into this one could not be read]\n"


def test_a_chart_and_a_diagram(extract: Extract) -> None:
    def points(*values: str) -> str:
        return "".join(f'<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>' for at, value in enumerate(values))

    series = (
        f"<c:ser><c:tx><c:strRef><c:strCache>{points('Sales')}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{points('Q1', 'Q2')}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache><c:formatCode>0%</c:formatCode>{points('0.5', '0.25')}"
        "</c:numCache></c:numRef></c:val></c:ser>"
    )
    title = f"<c:chart><c:title><c:tx><c:rich>{lines('Year')}</c:rich></c:tx></c:title>"
    diagram = "".join(
        f'<dgm:pt modelId="{name}" type="{kind}"><dgm:t>{lines(text)}</dgm:t></dgm:pt>'
        for name, kind, text in (
            ("d", "doc", ""),
            ("2", "node", "second"),
            ("1", "node", "first"),
            ("p", "pres", "not shown"),
        )
    ) + "".join(f'<dgm:cxn srcId="d" destId="{name}" srcOrd="{name}"/>' for name in "12")
    frame = '<w:p><w:r><w:drawing><c:chart r:id="c"/><c:chart r:id="l"/><dgm:relIds r:dm="d"/></w:drawing></w:r></w:p>'
    content = word(
        frame,
        ("c", "chart", "chart.xml"),
        ("l", "chart", "labelled.xml"),
        ("d", "diagramData", "data.xml"),
        chart=root("c:chartSpace", f"{title}{series}</c:chart>"),
        labelled=root("c:chartSpace", f'{title}{series}<c:dLbls><c:showVal val="1"/></c:dLbls></c:chart>'),
        data=root("dgm:dataModel", diagram),
    )
    # Values that a chart only draws are no words.
    drawn = ["Year", "Sales", "Q1", "Q2"]
    written = ["Year", "\tSales", "Q1\t50%", "Q2\t25%"]
    assert [line for line in extract(content).split("\n") if line] == [*drawn, *written, "first", "second"]


def test_a_drawing_is_read_once_however_often_it_is_named(extract: Extract) -> None:
    frame = '<w:p><w:r><w:drawing><c:chart r:id="c"/></w:drawing></w:r></w:p>'
    chart = root("c:chartSpace", f"<c:title><c:tx><c:rich>{lines('Year')}</c:rich></c:tx></c:title>")
    assert extract(word(frame * 3, ("c", "chart", "chart.xml"), chart=chart)).split() == ["Year"]


def test_data_shown_by_many_controls_is_a_bomb(extract: Extract) -> None:
    control_ = control(run(""), '<w:text/><w:dataBinding w:xpath="/a" w:storeItemID="{1}"/>')
    parts = {
        "word/document.xml": root("w:document", f"<w:body><w:p>{control_ * 70}</w:p></w:body>"),
        "word/_rels/document.xml.rels": relations(("d", "customXml", "item1.xml")),
        "word/item1.xml": f"<a>{'x' * 1_000_000}</a>",
        "word/_rels/item1.xml.rels": relations(("p", "customXmlProps", "props1.xml")),
        "word/props1.xml": root("ds:datastoreItem", "", 'ds:itemID="{1}"'),
    }
    content = package("word/document.xml", "wordprocessingml.document", parts)
    assert extract(content, fails=True, max_expanded_megabytes=50).error_code == "file_too_large"


@pytest.mark.parametrize(
    ("kind", "mime"),
    [
        ("wordprocessingml.template", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
        ("application/vnd.ms-word.document.macroEnabled", "application/vnd.ms-word.document.macroEnabled.12"),
        ("application/vnd.ms-word.template.macroEnabledTemplate", "application/vnd.ms-word.template.macroEnabled.12"),
    ],
)
def test_templates_and_macros_are_read(extract: Extract, kind: str, mime: str) -> None:
    result = extract(word(paragraph("body"), kind=kind), output="json")
    assert (result["text"], result["metadata"]["mime"]) == ("body\n", mime)


def test_strict_open_xml_is_read(extract: Extract) -> None:
    note = root("w:footnotes", f'<w:footnote w:id="2">{paragraph("note")}</w:footnote>')
    body = f'<w:p>{run("body")}<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    content = word(body, ("f", "footnotes", "footnotes.xml"), strict=True, footnotes=note)
    assert extract(content) == "body[1]\n[1] note\n"


def test_a_part_that_is_missing_or_damaged(extract: Extract) -> None:
    section = '<w:sectPr><w:headerReference w:type="default" r:id="h"/></w:sectPr>'
    assert extract(word(paragraph("body") + section, ("h", "header", "nowhere.xml"))) == "body\n"
    assert extract(word(paragraph("body"), ("s", "styles", "styles.xml"), styles="<broken")) == "body\n"
    broken = word(paragraph("body") + section, ("h", "header", "head.xml"), head="<broken")
    assert extract(broken, fails=True).error_code == "corrupt_file"
    nothing = package("word/document.xml", "wordprocessingml.document", {})
    assert "lacks its main part" in extract(nothing, "a.docx", fails=True).log
