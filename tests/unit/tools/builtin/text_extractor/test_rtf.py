# ruff: noqa: RUF001 - letters of all scripts are the point
"""RTF: what its pages show, in every code page."""

from __future__ import annotations

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract

_HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial;}{\f2\fcharset128 Mincho;}}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (r"\pard Part A|B costs 5\par", "Part A|B costs 5"),
        (r"\uc1 Emoji \u-10179?\u-8704? end\par", "Emoji 😀 end"),
        (r"\uc0 \u1057\u1095 \uc2 \u8364xx5\par", "Сч€5"),
        (r"\uc1 \u252\'fc \u252\'fcx \u228 aber", "ü üx äber"),
        (r"Keep {\deleted gone}{\revised new}{\v hidden}{\deleted0 kept}\par", "Keep newkept"),
        (r"{\v hidden}shown{\plain too}", "showntoo"),
        (r"{\header\pard Harbour\par}{\footerf\pard VAT\par}Body{\super\chftn}{\footnote note}\par next",
         "Harbour\nBody\nnote\nnext\nVAT"),
        (r"{\headerl Same\par}{\headerr Same\par}Body", "Same\nBody"),
        (r"a\par{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt\pard box\par}}{\shprslt\pard box\par}}b\par", "a\nb\nbox"),
        (r"{\*\do\dobxpage{\dptxbxtext old box\par}}body\par", "body\nold box"),
        (r"a{\*\annotation{\*\atndate 1}remark}\par b", "a\nremark\nb"),
        (r"{\f0\fs24\*\cs7\cf0 visible}\par{\*\cs8 too}\par{\*\unknown never}", "visible\ntoo"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\*\bkmkstart b}{\pict 00ff}", "link"),
        (r"{\upr{ansi?}{\*\ud{\u1057?}}}", "С"),
        (r"{\listtext\pard 1.\tab}Item\par{\pntext\'b7\tab}Next\par", "1.\tItem\n·\tNext"),
        (r"\trowd\pard\intbl a\par b\cell\cell c\cell\row\pard after\par", "a b\t\tc\nafter"),
        (r"\emdash\~\ldblquote q\rdblquote  soft\-hyphen non\_breaking \{\}\\",
         "—\xa0“q” softhyphen non-breaking {}\\"),
        (r"{\f1 \'d1\'f7\'b8\'f2} {\f2 \'90\'bf\'8b\'81 \'83A} \'fc", "Счёт 請求 ア ü"),
        (r"x{\object{\*\objdata 0a}{\result shown}}\bin3 }}}y", "xshowny"),
        ("line\\\nnext", "line\nnext"),
    ],
)  # fmt: skip
def test_what_stands_in_rtf(extract: Extract, content: str, text: str) -> None:
    assert extract((_HEAD + content + "}").encode("ascii"), "a.rtf") == text + "\n"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (1250, "Łódź"), (1251, "Счёт"), (1253, "Τιμολόγιο"), (1254, "İyi günler"), (1255, "חשבונית"), (1256, "فاتورة"),
        (1257, "Žemaitė"), (874, "ใบแจ้งหนี้"), (932, "請求書ソ"), (936, "发票金额"), (949, "청구서"),
        (950, "請款單"), (850, "Größe"),
        (437, "Größe"), (866, "Счёт"), (10000, "Größe"), (65001, "Größe"),
    ],
)  # fmt: skip
def test_code_pages_of_rtf(extract: Extract, page: int, text: str) -> None:
    encoding = {65001: "utf-8", 936: "gb18030", 10000: "mac_roman"}.get(page, f"cp{page}")
    escaped = "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))
    content = f"{{\\rtf1\\ansi\\ansicpg{page}{{\\fonttbl{{\\f0\\fcharset0 A;}}}}\\f0 {escaped}}}"
    assert extract(content.encode(), "a.rtf") == text + "\n"


def test_letters_that_are_written_as_they_are(extract: Extract) -> None:
    assert extract(b"{\\rtf1\\ansi " + "Größe".encode() + b" \\'fc}", "a.rtf") == "Größe ü\n"
    assert (
        extract(b"{\\rtf1\\ansi\\ansicpg1251 " + "Счёт на оплату".encode("cp1251") + b"}", "a.rtf")
        == "Счёт на оплату\n"
    )


@pytest.mark.parametrize(
    "content", ["{" * 30_000 + "deep", "}}}text", "{\\rtf1 cut {\\b wor", "{\\rtf1 \\u99999999?x\\'zz"]
)
def test_broken_rtf_is_read_as_far_as_it_goes(extract: Extract, content: str) -> None:
    assert extract(("{\\rtf1 " + content).encode(), "a.rtf")


def test_rtf_that_was_made_of_html(extract: Extract) -> None:
    content = (
        r"{\rtf1\ansi\ansicpg1252\fromhtml1 {\*\htmltag19 <html>}{\*\htmltag64 <p>}\htmlrtf {\b\htmlrtf0 "
        r"Order 4711 gr\'f6\'dfer{\*\htmltag84 &nbsp;}{\*\htmltag84 &lt;}x\htmlrtf\par}\htmlrtf0"
        r"{\*\htmltag72 </p>}{\*\htmltag241 <style>p \{\}</style>}{\*\htmltag27 </html>}}"
    )
    assert extract(content.encode(), "a.rtf") == "Order 4711 größer <x\n"
