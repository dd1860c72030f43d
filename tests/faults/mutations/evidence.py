"""Guards of words, grounding and evidence."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

GROUNDING = "tools/src/docfleet/tools/sdk/grounding"
TESTS = "tests/unit/tools/sdk/grounding"
FOLDERS = "runner/src/docfleet/runner/folders.py"
STEPS = "workers/src/docfleet/workers/shared/workflow/execution/steps.py"

MUTANTS = (
    mutant(
        "digits of a longer number are not the number",
        f"{TESTS}/test_ground.py::test_another_value_is_not_taken_for_it",
        (f"{GROUNDING}/matching.py", "is_whole = False  # the 50 of 12.50", "pass"),
    ),
    mutant(
        "a part of a word is not the word",
        f"{TESTS}/test_ground.py::test_another_value_is_not_taken_for_it",
        (f"{GROUNDING}/matching.py", "is_whole = first and last", "is_whole = True"),
    ),
    mutant(
        "a number that is nearly the same is another number",
        f"{TESTS}/test_ground.py::test_another_value_is_not_taken_for_it",
        (f"{GROUNDING}/matching.py", "if digits > _MANY_DIGITS * len(folded):", "if False:"),
        (f"{GROUNDING}/matching.py", "    if not digits:\n        return True\n", "    return True\n"),
    ),
    mutant(
        "what OCR confuses is told apart in text of the document",
        f"{TESTS}/test_ground.py::test_what_ocr_confuses_counts_as_nearly_the_same",
        (f"{GROUNDING}/matching.py", "not any(page.by_ocr for page in index.pages)", "False"),
        (f"{GROUNDING}/matching.py", "if index.pages[index.page_of(words[0])].by_ocr:", "if True:"),
    ),
    mutant(
        "a row takes no value of another page",
        f"{TESTS}/test_ground_result.py::test_a_row_does_not_take_values_of_another_page",
        (f"{GROUNDING}/rows.py", "return support == 0", "return True"),
    ),
    mutant(
        "rows are in order",
        f"{TESTS}/test_ground_result.py::test_equal_rows_are_taken_in_order",
        (f"{GROUNDING}/rows.py", "        return _BESIDE\n", "        return 0.0\n"),
    ),
    mutant(
        "a long list is grounded as far as there is room",
        f"{TESTS}/test_ground_result.py::test_a_long_list_is_grounded_as_far_as_there_is_room",
        (f"{GROUNDING}/results.py", "            if room < 0:\n", "            if False:\n"),
    ),
    mutant(
        "a long document does not speak for all in a calibration",
        f"{TESTS}/test_confidence.py::test_a_long_document_does_not_speak_for_all",
        (f"{GROUNDING}/confidence.py", "if sample.document else 1.0)", "if False else 1.0)"),
    ),
    mutant(
        "better evidence never counts against a field",
        f"{TESTS}/test_confidence.py::test_better_evidence_never_counts_against_a_field",
        (f"{GROUNDING}/confidence.py", "[0.0 if weight * sign < 0 else weight for", "[weight for"),
    ),
    mutant(
        "sums say nothing of the texts beside them",
        f"{TESTS}/test_confidence.py::test_sums_concern_the_numbers_of_a_list",
        (f"{GROUNDING}/reports.py", "own = [] if is_text_within else", "own ="),
    ),
    mutant(
        "words whose boxes are cut off are refused",
        "tests/unit/tools/sdk/test_words.py::test_a_damaged_file_is_refused",
        ("tools/src/docfleet/tools/sdk/words.py", "(msgspec.DecodeError, IndexError)", "IndexError"),
    ),
    mutant(
        "evidence of an earlier step does not stay for another result",
        "tests/unit/runner/test_folders.py::test_words_and_evidence_are_published_and_words_reach_the_next_tool",
        (FOLDERS, "is_old = EVIDENCE not in beside", "is_old = False"),
    ),
    mutant(
        "words of a tool are a regular file",
        "tests/unit/runner/test_folders.py::test_words_and_evidence_that_are_no_files_are_refused",
        (
            FOLDERS,
            "if not stat.S_ISREG(status.st_mode):\n            raise ToolResultInvalid(f",
            "if False:\n            raise ToolResultInvalid(f",
        ),
    ),
    mutant(
        "evidence has a limit",
        "tests/unit/runner/test_folders.py::test_evidence_has_a_limit",
        (FOLDERS, "status.st_size > EVIDENCE_BYTES", "False"),
    ),
    mutant(
        "kept words are part of the record of a step",
        "tests/unit/workers/shared/workflow/execution/test_steps.py::test_damaged_words_make_the_step_run_again",
        (STEPS, "{INFILE: path} | _side_files(path) |", "{INFILE: path} |"),
        (STEPS, "    digests |= {name: _sha256(file) for name, file in _side_files(path).items()}\n", ""),
    ),
    mutant(
        "evidence of an API's run lives as long as its result",
        "tests/unit/workers/shared/workflow/execution/test_attempt.py::test_evidence_of_an_api_is_in_its_result_only",
        (
            "workers/src/docfleet/workers/shared/workflow/execution/attempt.py",
            "if self._context.destination_config.is_api or not (self.folder / EVIDENCE).exists():",
            "if not (self.folder / EVIDENCE).exists():",
        ),
    ),
    mutant(
        "evidence of another execution is not shown",
        "tests/integration/backend/files/test_evidence.py::test_evidence_is_of_a_file_of_this_execution_and_organization",
        ("backend/src/docfleet/backend/files/evidence.py", "if row.execution_id != execution_id:", "if False:"),
    ),
    mutant(
        "evidence goes with its execution",
        "tests/integration/backend/files/test_evidence.py::test_evidence_goes_with_its_execution",
        (
            "backend/src/docfleet/backend/housekeeping.py",
            "        evidence.delete(root, row.organization_id, row.id)\n",
            "        pass\n",
        ),
    ),
)  # fmt: skip
