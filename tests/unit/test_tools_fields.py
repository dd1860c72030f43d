"""The field extractor and the classifier: values, rules, templates, bins."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools import protocol
from docfleet.tools.builtin.classifier.tool import tool as classifier
from docfleet.tools.builtin.field_extractor.presets import apply_preset, find_currency
from docfleet.tools.builtin.field_extractor.rules import Rule, find
from docfleet.tools.builtin.field_extractor.tool import tool as field_extractor
from docfleet.tools.builtin.field_extractor.values import Locale, parse_amount, parse_date, parse_integer
from docfleet.tools.protocol import LogMessage
from docfleet.tools.sdk import Tool, run_tool

Run = Callable[..., Any]
AUTO = Locale()


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a tool on text that an earlier tool left (``earlier`` entries); its JSON, or the error line."""

    def run_it(tool: Tool, text: bytes, settings: dict[str, Any], *, earlier: int = 1, fails: bool = False) -> Any:
        entry = {"tool_name": "text_extractor", "elapsed_time": 1, "output_type": "TXT", "pages": 2}
        metadata = {"source_name": "d ö.txt", "tool_metadata": [entry] * earlier}
        (tmp_path / "METADATA.json").write_text(json.dumps(metadata))
        (tmp_path / "INFILE").write_bytes(text)
        (tmp_path / "SOURCE").write_bytes(b"the document")
        code = run_tool(tool, settings, tmp_path)
        lines = [protocol.parse_line(line.encode()) for line in capfd.readouterr().out.splitlines()]
        errors = [line for line in lines if isinstance(line, LogMessage) and line.error_code]
        assert code == fails, errors
        return errors[0] if fails else json.loads((tmp_path / "INFILE").read_bytes())

    return run_it


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12.50", 12.5), ("1,234.56", 1234.56), ("1.234,56", 1234.56), ("€ 1.234", 1234.0), ("1,234", 1234.0),
        ("12,5", 12.5), ("-3.20", -3.2), ("$-3.20", -3.2), ("1'234.50", 1234.5), ("1\xa0234,50 EUR", 1234.5),
        ("RM8.20", 8.2), (".82", 0.82), ("1.234.567,00", 1234567.0), ("no amount", None), ("12.50%", None), ("", None),
    ],
)  # fmt: skip
def test_amounts(written: str, value: float | None) -> None:
    assert parse_amount(written, AUTO) == value


def test_a_set_decimal_mark_settles_what_is_ambiguous() -> None:
    assert parse_amount("1.234", Locale(decimal_comma=True)) == 1234.0
    assert parse_amount("1,50", Locale(decimal_comma=True)) == 1.5


@given(st.integers(0, 10**9), st.sampled_from([",.", ".,", "'.", "\xa0,"]))
def test_every_amount_survives_writing(cents: int, marks: str) -> None:
    text = f"{cents / 100:,.2f}".translate(str.maketrans(",.", marks))
    assert parse_amount(f"Total {text} due", AUTO) == cents / 100


@given(st.dates(datetime.date(1950, 1, 1), datetime.date(2068, 12, 31)), st.booleans())
def test_every_date_survives_writing(date: datetime.date, day_first: bool) -> None:
    locale = Locale(day_first=day_first)
    for style in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d/%m/%Y" if day_first else "%m/%d/%Y"):
        assert parse_date(f"on {date.strftime(style)}.", locale) == date.isoformat(), style


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("25/12/2018", "2018-12-25"), ("12/25/2018", "2018-12-25"), ("3-4-21", "2021-04-03"),
        ("19 april 2014", "2014-04-19"),
        ("2. März 2026", "2026-03-02"), ("2 juillet 2015", "2015-07-02"), ("Jan 1, 2022", "2022-01-01"),
        ("1st of", None),
        ("31/02/2020", None), ("192.168.10.12", None), ("03-Mar-2018", "2018-03-03"), ("tomorrow", None),
    ],
)  # fmt: skip
def test_dates(written: str, value: str | None) -> None:
    assert parse_date(written, Locale(day_first=True)) == value


@given(st.text(max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    for preset in ("invoice", "receipt"):
        json.dumps(apply_preset(preset, text, Locale.of(text, "auto", "auto")))
    parse_integer(text)


INVOICE = """
 Harbour Light Ltd.                       Invoice no.     Invoice date      Customer
                                          HL/2026-17      03.02.2026        4711

 2 items of something         2           10,00           20,00
 Subtotal                                                 20,00
 VAT 19%                                                   3,80
 Total due                                              € 23,80
"""


def test_values_beside_and_below_their_labels() -> None:
    found = apply_preset("invoice", INVOICE, Locale.of(INVOICE, "auto", "auto"))
    assert found == {"invoice_number": "HL/2026-17", "date": "2026-02-03", "amount": 23.8, "currency": "EUR"}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Rule("n", "integer", labels=("Qty",)), 12),
        (Rule("n", "text", labels=("absent", "Ship to")), "Anna Müller"),
        (Rule("n", "text", regex=r"^Ref: (\w+)"), "R7"),
        (Rule("n", "text", regex=r"R\d"), "R7"),
        (Rule("n", "amount", labels=("Fee",)), 0.0),
        (Rule("n", "date", labels=("Qty",)), None),
        (Rule("n", "text", labels=("hip",)), None),
    ],
)
def test_own_rules(rule: Rule, value: Any) -> None:
    assert find(rule, "Qty: 12   SHIP TO:  Anna Müller    x\nRef: R7\nFee  0,00\n", AUTO) == value


def test_currencies() -> None:
    assert [find_currency(text) for text in ("€ 3", "$ 3", "RM 3.00", "3")] == ["EUR", "USD", "MYR", None]


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


def test_a_word_in_a_phrase_is_no_heading() -> None:
    text = "Copy invoice\nCustomer   Invoice date   Invoice   Due\nC-77       08-09-2022     VF1005    22-09-2022\n"
    assert apply_preset("invoice", text, AUTO)["invoice_number"] == "VF1005"


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


def test_own_fields_win_and_required_ones_decide(run: Run) -> None:
    fields = [
        {"name": "amount", "labels": ["VAT"], "type": "amount"},
        {"name": "po", "labels": ["PO"], "type": "text", "required": True},
    ]
    found = run(field_extractor, INVOICE.encode(), {"fields": fields})
    assert found["amount"] == 3.8 and found["matched"] is False and "po" not in found


@pytest.mark.parametrize("text", [b"", b"nothing to see", b"\xff\xfe\x00", b'{"text": 5}', b"[]"])
def test_nothing_found_is_a_result(run: Run, text: bytes) -> None:
    assert run(field_extractor, text, {})["matched"] is False


def test_the_json_of_an_earlier_tool_is_text_too(run: Run) -> None:
    earlier = json.dumps({"text": INVOICE, "pages": []}).encode()
    assert run(field_extractor, earlier, {})["amount"] == 23.8


BINS = [
    {"name": "long", "rules": [{"field": "pages", "min": 100}]},
    {
        "name": "big invoices",
        "match": "all",
        "rules": [{"field": "text", "contains": "INVOICE"}, {"field": "size", "min": 5}],
    },
    {"name": "invoices", "rules": [{"field": "text", "regex": "(?i)invoice"}]},
]


def test_the_first_bin_that_fits_takes_a_copy(run: Run, tmp_path: Path) -> None:
    found = run(classifier, INVOICE.encode(), {"bins": BINS})
    assert found["bin"] == "big invoices" and found["reasons"] == ["text contains 'INVOICE'", "size is at least 5"]
    assert (tmp_path / "COPY_TO_FOLDER" / "big invoices" / "d ö.txt").read_bytes() == b"the document"
    assert found["text_preview"].startswith("Harbour Light")


def test_what_fits_nowhere_goes_to_the_default_bin(run: Run, tmp_path: Path) -> None:
    found = run(classifier, b"a letter", {"bins": BINS, "default_bin": "../../out", "copy": True})
    assert found == {"bin": "../../out", "reasons": ["no rule matched"], "text_preview": "a letter"}
    assert [path.name for path in (tmp_path / "COPY_TO_FOLDER").iterdir()] == ["out"]
    assert not (tmp_path.parent.parent / "out").exists()


def test_the_first_step_reads_the_document_itself(run: Run) -> None:
    assert run(classifier, b"an INVOICE", {"bins": BINS[2:]}, earlier=0)["bin"] == "invoices"
    assert run(classifier, b"\x89PNG\r\n\x1a\n invoice", {"bins": BINS[2:]}, earlier=0)["bin"] == "unclassified"


@pytest.mark.parametrize(
    "rule",
    [
        {"field": "text", "regex": "("},
        {"field": "name", "min": 1},
        {"field": "colour", "contains": "x"},
        {"field": "text"},
    ],
)
def test_a_bin_that_makes_no_sense_is_refused(run: Run, rule: dict[str, Any]) -> None:
    error = run(classifier, b"x", {"bins": [{"name": "a", "rules": [rule]}]}, fails=True)
    assert error.error_code == "tool_settings_invalid"
