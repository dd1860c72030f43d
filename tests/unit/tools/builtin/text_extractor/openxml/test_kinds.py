"""Which kind of office file a package is: by the type of its main part, else by what it holds or was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk import media
from tests.unit.tools.builtin.text_extractor.documents import zipped
from tests.unit.tools.builtin.text_extractor.openxml.packages import paragraph, shape, slides, word, workbook

ENDINGS = {
    ".docx": media.WORD[0], ".dotx": media.WORD[1], ".docm": media.WORD[2], ".dotm": media.WORD[3],
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xltx": "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
    ".ppsx": "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
    ".potm": "application/vnd.ms-powerpoint.template.macroEnabled.12",
}  # fmt: skip


@pytest.mark.parametrize(("ending", "mime"), ENDINGS.items())
def test_a_package_that_is_cut_off_is_what_its_name_says(tmp_path: Path, ending: str, mime: str) -> None:
    path = tmp_path / "INFILE"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert media.detect(path, f"a{ending}") == mime


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (word(paragraph("a")), media.DOCX),
        (word(paragraph("a"), kind="WordProcessingML.Template"), media.WORD[1]),
        (workbook(), media.XLSX),
        (slides(shape("a"), kind="application/vnd.ms-powerpoint.addin.macroEnabled"), media.SLIDES[-1]),
        # Whatever it declares, it holds the parts of a workbook.
        (workbook(kind="application/x-unknown"), media.XLSX),
        (zipped(**{"[Content_Types].xml": b"<x/>", "XL__Workbook.xml": b"<x/>"}), media.XLSX),
        (zipped(**{"[Content_Types].xml": b"<x/>", "word\\document.xml": b"<x/>"}), media.DOCX),
        (zipped(**{"[content_types].xml": b"<x/>", "ppt__presentation.xml": b"<x/>"}), media.PPTX),
    ],
)
def test_a_package_says_itself_what_it_is(tmp_path: Path, content: bytes, mime: str) -> None:
    path = tmp_path / "INFILE"
    path.write_bytes(content)
    assert media.detect(path, "a.bin") == mime
