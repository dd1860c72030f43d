"""Guards of the tools."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

TEXT_EXTRACTOR = "tools/src/docfleet/tools/builtin/text_extractor"

MUTANTS = (
    mutant(
        "an office file that is cut off is called so",
        "tests/security/test_causes.py::test_an_office_file_that_is_cut_off_is_called_so",
        ("tools/src/docfleet/tools/sdk/media.py", "members, named = _left_in(path)", "members, named = [], b''"),
    ),
    mutant(
        "an archive with a password is called so",
        "tests/security/test_causes.py::test_a_document_with_a_password_is_called_so",
        (f"{TEXT_EXTRACTOR}/document.py", "member.flag_bits & _ENCRYPTED", "False"),
    ),
    mutant(
        "the words of a reader stay out of a cause",
        "tests/security/test_causes.py::test_every_cause_can_be_acted_on[damaged]",
        (f"{TEXT_EXTRACTOR}/document.py", "{cause}; {SEND_AGAIN}", "{error!r}; {SEND_AGAIN}"),
    ),
    mutant(
        "a picture is made small enough for Tesseract",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_a_picture_with_a_side_too_long_for_tesseract_is_read[tesseract]",
        (f"{TEXT_EXTRACTOR}/tesseract.py", "if max(image.size) * scale > _LONGEST_PIXELS:", "if False:"),
    ),
    mutant(
        "a chapter is read once",
        "tests/unit/tools/builtin/text_extractor/test_markup.py::test_a_chapter_is_read_once_however_often_a_book_names_it",
        (f"{TEXT_EXTRACTOR}/markup.py", "if name not in texts:", "if True:"),
    ),
    mutant(
        "a book that repeats itself is too large",
        "tests/unit/tools/builtin/text_extractor/test_markup.py::test_a_book_that_repeats_itself_is_too_large",
        (f"{TEXT_EXTRACTOR}/markup.py", "if size > reading.max_expanded_bytes:", "if False:"),
    ),
    mutant(
        "a full disk under a tool is no fault of the document",
        "tests/unit/tools/sdk/test_run.py::test_a_failure_is_one_error_line_and_changes_nothing",
        ("tools/src/docfleet/tools/sdk/run.py", "if isinstance(trouble, StorageFull):", "if False:"),
    ),
)
