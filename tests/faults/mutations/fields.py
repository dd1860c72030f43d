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
    mutant(
        "two invoices in one text are none",
        f"{_TESTS}/test_presets.py::test_of_two_invoices_in_one_text_none_is_the_document",
        (f"{_CODE}/invoices.py", "if any(one not in each and each not in one for", "if any(False for"),
    ),
    mutant(
        "a number with a misread sign is none",
        f"{_TESTS}/test_amounts.py::test_a_number_with_a_misread_sign_is_left_out",
        (f"{_CODE}/amounts.py", "|{_MISREAD})", ")"),
    ),
    mutant(
        "the date of a delivery is none of issue",
        f"{_TESTS}/test_presets.py::test_the_only_date_is_none_of_issue_where_it_has_another_label",
        (f"{_CODE}/invoices.py", "next(iter(left - others), None)", "next(iter(left), None)"),
    ),
    mutant(
        "an amount of the XML is no part of another in the text",
        f"{_TESTS}/einvoice/test_checks.py::test_a_round_amount_is_no_part_of_another",
        (f"{_CODE}/einvoice/checks.py", r"(?!\d|{_GROUP_MARK}\d)", r"(?!\d)"),
    ),
    mutant(
        "a total in another currency is a failed check",
        f"{_TESTS}/einvoice/test_reader.py::test_a_total_in_another_currency_is_no_success",
        (f"{_CODE}/einvoice/checks.py", "if invoice.total_currency not in (None, invoice.currency):", "if False:"),
    ),
)
