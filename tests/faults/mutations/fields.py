"""Guards of the fields that are read from text."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

_CODE = "tools/src/docfleet/tools/builtin/field_extractor"
_TESTS = "tests/unit/tools/builtin/field_extractor"

MUTANTS = (
    mutant(
        "a check that fails makes a result not matched",
        f"{_TESTS}/test_tool.py::test_a_check_that_fails_is_said_and_nothing_matches",
        (f"{_CODE}/tool.py", 'complete = complete and all(each["ok"] for each in made)', "pass"),
    ),
    mutant(
        "a date that may be two days is left out",
        f"{_TESTS}/test_presets.py::test_a_date_that_may_be_two_is_left_out",
        (f"{_CODE}/dates.py", "    if locale.day_first is None:\n        return None\n", ""),
        (f"{_CODE}/invoices.py", '    if any(reading.of("issued")):', "    if False:"),
    ),
    mutant(
        "a sign of several currencies is none without evidence",
        f"{_TESTS}/test_currencies.py::test_currencies",
        (f"{_CODE}/currencies.py", "return _USUAL.get(sign)", "return min(known)"),
    ),
    mutant(
        "another total is no total",
        f"{_TESTS}/test_presets.py::test_labels_of_many_languages",
        (f"{_CODE}/totals.py", "if found and not _free_letters(reading, hit, start, found[0][0]):", "if found:"),
    ),
    mutant(
        "items that are not the total are left out",
        f"{_TESTS}/test_presets.py::test_items_that_are_not_the_total_are_left_out",
        (f"{_CODE}/items.py", "any(abs(total - value) < _CENT for value in wanted)", "wanted"),
    ),
    mutant(
        "a part of a date below the label is no invoice number",
        "tests/unit/tools/builtin/field_extractor/test_presets.py::test_a_part_of_a_date_below_the_label_is_no_number",
        (
            "tools/src/docfleet/tools/builtin/field_extractor/invoices.py",
            "if not in_date and not _NO_CODE",
            "if not _NO_CODE",
        ),
    ),
)
