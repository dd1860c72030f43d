"""Ready-made rules for invoices and receipts, in the languages of most of Europe."""

from __future__ import annotations

import re

from docfleet.tools.builtin.field_extractor.rules import Rule, Value, find
from docfleet.tools.builtin.field_extractor.values import DATE, Locale, parse_date

# Letters, digits and marks with at least one digit; neither a date nor an amount.
_CODE = re.compile(
    r"(?<!\S)#?\s?(?!\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b)(?!\d+[.,]\d{2}(?!\S))(?=[\w/.-]*\d)[A-Z0-9][\w/.-]*\w(?![,%])",
    re.IGNORECASE,
)
# A till always prints cents; a number without them is a postcode, a count or a misread line.
_WITH_CENTS = re.compile(r"(?<![\w.,])-?(?:RM|[$€£])?\s?\d{1,3}(?:[.,]?\d{3})*[.,]\d{2}(?![\d%])")
_NOT_THE_TOTAL = re.compile(
    r"sub[\s-]?total|total\s+(?:qty|quantity|items?|saving|disc|tax|gst|vat|pieces|units?|points?)|excl|before\s+tax"
    r"|hors\s+taxe|\bnet\s+total|total\s+(?:ht|hors)",
    re.IGNORECASE,
)
_NOT_THE_DATE = re.compile(r"due\s+date|date\s+of\s+birth|expir|order\s+date|delivery|print\s+date", re.IGNORECASE)

INVOICE = (
    Rule(
        "invoice_number",
        "text",
        labels=(
            "invoice number", "invoice no.", "invoice no", "invoice #", "invoice id", "invoice nr", "tax invoice no",
            "factuurnummer", "factuur nr", "rechnungsnummer", "rechnungs-nr", "rechnung nr", "numéro de facture",
            "facture n°", "facture no",
            "número de factura", "factura n", "numero fattura", "faktura nr", "numer faktury",
            "factuur", "rechnung", "facture", "invoice",
        ),
        required=True,
        value=_CODE,
    ),
    Rule(
        "date",
        "date",
        labels=(
            "invoice date", "date of issue", "issue date", "date of invoice", "factuurdatum", "factuur datum",
            "rechnungsdatum", "date de facture", "date de la facture", "fecha de factura", "data fattura",
            "data wystawienia", "dated", "datum", "date", "fecha", "data",
        ),
        required=True,
        skip=_NOT_THE_DATE,
    ),
    Rule(
        "amount",
        "amount",
        labels=(
            "amount due", "total due", "balance due", "total payable", "amount payable", "grand total", "invoice total",
            "total amount", "total incl. vat", "total incl", "factuur totaal", "te betalen", "totaal", "gesamtbetrag",
            "rechnungsbetrag", "endbetrag", "gesamtsumme", "zu zahlen", "total ttc", "net à payer", "montant total",
            "total a pagar", "totale", "do zapłaty", "razem", "summe", "total", "amount",
        ),
        required=True,
        skip=_NOT_THE_TOTAL,
        last=True,
    ),
    Rule(
        "date_due",
        "date",
        labels=("due date", "payment due", "due by", "vervaldatum", "fälligkeitsdatum", "fällig am", "date d'échéance"),
    ),
)  # fmt: skip
RECEIPT = (
    Rule("date", "date", labels=("invoice date", "date", "dated", "tarikh", "bizdate", "datum"), required=True),
    Rule(
        "total",
        "amount",
        labels=(
            "grand total", "nett total", "net total", "total amt payable", "total payable", "amount payable",
            "total rounded", "rounded total", "total after rounding", "total amount", "total due", "amount due",
            "total incl. gst", "total inclusive", "total sales (inclusive", "total incl", "total (inclusive",
            "total (incl", "total",
            "totaal", "summe", "amount", "cash",
        ),
        required=True,
        value=_WITH_CENTS,
        skip=_NOT_THE_TOTAL,
    ),
)  # fmt: skip
PRESETS = {"invoice": INVOICE, "receipt": RECEIPT, "none": ()}

_CURRENCIES = (
    ("EUR", r"€|\bEUR\b"),
    ("GBP", r"£|\bGBP\b"),
    ("INR", r"₹|\bINR\b|\bRs\."),
    ("MYR", r"\bRM\s?\d|\bMYR\b|\(RM\)"),
    ("PLN", r"\bzł\b|\bPLN\b"),
    ("CHF", r"\bCHF\b"),
    ("CAD", r"\bCAD\b|C\$"),
    ("AUD", r"\bAUD\b|A\$"),
    ("USD", r"\$|\bUSD\b"),
)
_LETTERS = re.compile(r"[^\W\d_]{3}")


def find_currency(text: str) -> str | None:
    """The currency named most often, as an ISO 4217 code; None when none is named."""
    counts = {code: len(re.findall(pattern, text)) for code, pattern in _CURRENCIES}
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] else None


def apply_preset(preset: str, text: str, locale: Locale) -> dict[str, Value]:
    """The values of the ready-made rules by field name; a field that is not in ``text`` is absent."""
    values: dict[str, Value] = {}
    for rule in PRESETS[preset]:
        value = find(rule, text, locale)
        if value is not None:
            values[rule.name] = value
    if preset == "receipt":
        _complete_receipt(values, text, locale)
    currency = find_currency(text) if preset != "none" else None
    if currency:
        values["currency"] = currency
    return values


def _complete_receipt(values: dict[str, Value], text: str, locale: Locale) -> None:
    """A receipt often prints its date without a label, and its shop on top."""
    if "date" not in values:
        dates = (parse_date(match[0], locale) for match in DATE.finditer(text))
        first = next((date for date in dates if date), None)
        if first:
            values["date"] = first
    company = next((line.strip() for line in text.split("\n") if _LETTERS.search(line)), None)
    if company:
        values["company"] = re.split(r"\s{3,}", company)[0]
