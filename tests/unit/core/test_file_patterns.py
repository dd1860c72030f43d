"""Patterns of file names."""

from __future__ import annotations

import pytest

from docfleet.core.file_patterns import GROUPS, SYSTEM_FILES, check, ignored, name_filter


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        ([], "a.xyz", True),
        (["*"], "a", True),
        (["PDF documents"], "A.PDF", True),
        (["PDF documents"], "a.docx", False),
        (["Word documents"], "a.DOTM", True),
        (["Office documents"], "a.ppsx", True),
        (["Excel documents"], "a.xlsb", True),
        (["*.pdf", "text files"], "notes.TXT", True),
        ([".pdf"], "a.pdf", True),
        (["pdf"], "a.pdf", True),
        (["pdf"], "pdf", False),
        (["invoice-??.pdf"], "invoice-01.pdf", True),
        (["report.csv"], "report.csv", True),
        (["report.csv"], "other.csv", False),
    ],
)
def test_patterns(patterns: list[str], name: str, wanted: bool) -> None:
    assert name_filter(patterns)(name) is wanted


def test_the_original_offers_seventeen_groups() -> None:
    assert len(GROUPS) == 17


LEFT_BEHIND = """
._invoice.txt .DS_Store .Trashes .Spotlight-V100 __MACOSX .fseventsd .TemporaryItems
Thumbs.db THUMBS.DB desktop.ini Desktop.ini $RECYCLE.BIN System_Volume_Information ehthumbs.db
~$report.docx ~$voice.xlsx .~lock.report.odt# ~WRL0001.tmp 4F2A1B00.tmp .#notes.txt notes.txt~ .notes.txt.swp
scan.pdf.part get.pdf.crdownload get.pdf.filepart get.pdf.!ut get.pdf.partial get.pdf.download x.aria2 x.temp
.invoice.pdf.Xa81Bc lost+found .nfs00000000047d1b5900000001 .fuse_hidden0000002600000001 .directory
@eaDir #recycle @Recycle .@__thumb @tmp .stversions .syncthing.a.pdf.tmp ~syncthing~a.pdf.tmp .dropbox
.git .gitignore .svn .hg .docfleet .docfleet-0123456789abcdef-1.part
"""
DOCUMENTS = """
invoice.txt .invoice.pdf Thumbs.pdf desktop.txt report~1.docx ~report.docx $report.docx @invoice.pdf #12.pdf parts.pdf
part.pdf a.tmp.pdf temp.docx .profile.pdf .report.json .a.numbers git.pdf CVS CVs trash.txt recycle.pdf lost.pdf
download.pdf a.lock invoice.lnk .config .github.md nfs.txt
"""


@pytest.mark.parametrize("name", LEFT_BEHIND.split())
def test_what_systems_leave_behind_is_no_document(name: str) -> None:
    assert ignored([SYSTEM_FILES])(name.replace("Volume_Info", "Volume Info").replace("System_", "System "))


@pytest.mark.parametrize("name", DOCUMENTS.split())
def test_a_document_is_one_by_any_name(name: str) -> None:
    assert not ignored([SYSTEM_FILES])(name)


def test_what_is_ignored_is_a_choice() -> None:
    assert not ignored([])(".DS_Store")
    assert ignored(["*.bak", SYSTEM_FILES])("a.BAK") and ignored(["*.bak", "System Files"])("thumbs.db")
    assert not ignored(["*.bak"])("thumbs.db")


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("PDF document", "'pdf documents'"),
        ("Text documents", "groups are"),
        ("images", "'image files'"),
        ("Documents", "groups are"),
        ("spreadsheet", "'spreadsheet files'"),
        ("pdf files and more", "groups are"),
        ("*.pdf, *.docx", "an item of the list"),
        ("*.pdf;*.docx", "an item of the list"),
        ("pdf|.docx", "an item of the list"),
        ("*.{pdf,docx}", "an item of the list"),
        ("in/*.pdf", "folders"),
        ("in\\*.pdf", "folders"),
    ],
)
def test_a_pattern_that_no_file_matches_is_an_error(pattern: str, hint: str) -> None:
    with pytest.raises(ValueError, match=r"^fileExtensions: .*(no file group|no pattern|several patterns)") as refused:
        check("fileExtensions", [pattern])
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["PDF documents", "pdf", ".text", "*.text", "csv", "a, b.pdf", "invoice [0-9]*", "jsonl", "*", ""]
)
def test_a_pattern_of_names_is_none(pattern: str) -> None:
    check("fileExtensions", [pattern])
