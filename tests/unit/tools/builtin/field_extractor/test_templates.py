"""Templates of issuers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.tool import tool as field_extractor
from tests.unit.tools.builtin.invoice import INVOICE

Run = Callable[..., Any]
TEMPLATE: dict[str, Any] = {
    "issuer": "Harbour Light",
    "keywords": ["Harbour Light"],
    "fields": {
        "invoice_number": {"parser": "regex", "regex": r"(HL/\S+)"},
        "date": {"parser": "regex", "regex": r"(\d{2}\.\d{2}\.\d{4})", "type": "date"},
        "amount": {"parser": "regex", "regex": r"Total due\s+€\s+(\S+)", "type": "float"},
    },
    "options": {"currency": "EUR", "date_formats": ["%d.%m.%Y"], "decimal_separator": ","},
}


def test_a_template_finds_its_fields(run: Run) -> None:
    found = run(field_extractor, INVOICE.encode(), {"templates": [TEMPLATE]})
    assert found["matched"] is True and found["template"] == "inline 1"
    assert (found["issuer"], found["date"], found["amount"]) == ("Harbour Light", "2026-02-03", 23.8)


@pytest.mark.parametrize(
    ("keywords", "excluded", "matched"),
    [
        (["Harbour[ ]Light"], [], True),
        (["Harbour", "HL/"], [], True),
        (["Harbour", "absent"], [], False),
        (["Harbour"], ["Subto.al"], False),
        (["("], [], False),
    ],
)
def test_keywords_are_literal_or_regular(run: Run, keywords: list[str], excluded: list[str], matched: bool) -> None:
    template = TEMPLATE | {"keywords": keywords, "exclude_keywords": excluded}
    found = run(field_extractor, INVOICE.encode(), {"templates": [template]})
    assert (found["template"] is not None) == matched


def test_an_identifier_is_text_and_a_typed_number_a_number(run: Run) -> None:
    fields = {
        **TEMPLATE["fields"],
        "vat": {"parser": "static", "value": 7740001454},
        "items": {"parser": "regex", "regex": r"(\d) items", "type": "int"},
    }
    found = run(field_extractor, INVOICE.encode(), {"templates": [TEMPLATE | {"fields": fields}]})
    assert (found["vat"], found["items"]) == ("7740001454", 2)


def test_a_folder_of_templates(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "harbour.json").write_text(json.dumps(TEMPLATE))
    settings = {"templates_folder": str(folder), "use_packaged_templates": False}
    assert run(field_extractor, INVOICE.encode(), settings)["template"] == "harbour.json"
    error = run(field_extractor, INVOICE.encode(), {"templates_folder": "/no/such"}, fails=True)
    assert error.error_code == "tool_settings_invalid" and "/no/such" in error.log


def test_a_template_that_misses_a_field_leaves_it_to_the_rules(run: Run) -> None:
    template = TEMPLATE | {"required_fields": ["order"]}
    found = run(field_extractor, INVOICE.encode(), {"templates": [template]})
    assert found["template"] is None and found["amount"] == 23.8 and found["matched"] is True


def test_a_broken_template_is_the_workflows_fault(run: Run) -> None:
    template = TEMPLATE | {"fields": {"amount": {"parser": "regex", "regex": "(", "type": "float"}}}
    error = run(field_extractor, INVOICE.encode(), {"templates": [template]}, fails=True)
    assert error.error_code == "tool_settings_invalid"
