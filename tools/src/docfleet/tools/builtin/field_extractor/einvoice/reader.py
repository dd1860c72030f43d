"""The electronic invoice in a document, as fields and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.tools.builtin.field_extractor.einvoice import checks, cii, fatturapa, ubl
from docfleet.tools.builtin.field_extractor.einvoice.checks import Check, check
from docfleet.tools.builtin.field_extractor.einvoice.model import Invoice
from docfleet.tools.builtin.field_extractor.einvoice.sources import XmlFile, is_markup, sources
from docfleet.tools.builtin.field_extractor.einvoice.xml import XmlBroken, parse, plain
from docfleet.tools.sdk.text import decode_text

if TYPE_CHECKING:
    from lxml.etree import _Element

_SYNTAXES = {
    "CrossIndustryInvoice": ("Cross Industry Invoice", cii.read),
    "CrossIndustryDocument": ("Cross Industry Invoice", cii.read),
    "Invoice": ("UBL", ubl.read),
    "CreditNote": ("UBL", ubl.read),
    "FatturaElettronica": ("FatturaPA", fatturapa.read),
    "FatturaElettronicaSemplificata": ("FatturaPA", fatturapa.read),
}
# Formats of several countries have a root of this name; only UBL has these totals.
_NAMED_SO_BY_OTHERS = ("Invoice", "CreditNote")
_UBL_TOTALS = "LegalMonetaryTotal"
# Peppol's envelope.
_ENVELOPE = "StandardBusinessDocument"
_ROOT = re.compile(
    r"<(?:[\w.-]{1,64}:)?(?:CrossIndustry(?:Invoice|Document)|FatturaElettronica(?:Semplificata)?)\b"
    r"|LegalMonetaryTotal"
)
_NAMES = re.compile(r"(?:factur-?x|zugferd|x-?rechnung)[^.]*(?:\.xml)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EInvoice:
    """What was found: the fields, or why there are none in a check that failed."""

    fields: dict[str, Any] | None
    checks: list[Check] = field(default_factory=list)
    syntax: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether no check failed."""
        return all(each["ok"] for each in self.checks)


def preload() -> None:
    """Load what ``read`` needs."""
    import pypdfium2  # noqa: F401

    parse(b"<Invoice/>")


def read(path: Path, name: str, text: str, *, is_pdf: bool, by_ocr: bool) -> EInvoice | None:
    """The electronic invoice in the document at ``path``; None when there is none.

    ``text`` is what people read of a PDF. It is compared with the XML.
    """
    failures: list[Check] = []
    found: list[tuple[XmlFile, str, list[Invoice]]] = []
    for source in sources(path, name, is_pdf=is_pdf):
        try:
            invoices = _invoices(source)
        except XmlBroken as error:
            if _claims_to_be_one(source):
                failures.append(check("xml", f"{source.name} cannot be read: {error}", ok=False))
            continue
        if invoices is not None:
            found.append((source, *invoices))
    if not found:
        return EInvoice(None, failures) if failures else None
    found.sort(key=lambda each: _NAMES.search(each[0].name) is None)
    source, syntax, invoices_of_first = found[0]
    invoice = invoices_of_first[0]
    others = {each.number for _, _, several in found for each in several} - {invoice.number}
    made = [check("xml", f"{source.name} is read as {syntax}", ok=True)]
    if others or len(invoices_of_first) > 1:
        number = max(len(others) + 1, len(invoices_of_first))
        detail = f"the document holds {number} invoices, the fields are those of the first: split it"
        made.append(check("one_invoice", detail, ok=False))
    made += checks.totals(invoice)
    if is_pdf:
        made += checks.against_text(invoice, text, by_ocr=by_ocr)
    return EInvoice(invoice.fields(), made, syntax)


def _invoices(source: XmlFile) -> tuple[str, list[Invoice]] | None:
    """The syntax and the invoices; None for a file that is none. Raises ``XmlBroken``."""
    if not is_markup(source.content):
        if _NAMES.search(source.name):
            raise XmlBroken("it holds no XML")
        return None
    roots = _roots(plain(parse(source.content)))
    if not roots:
        return None
    syntax = _SYNTAXES[str(roots[0].tag)][0]
    invoices = [invoice for root in roots for invoice in _SYNTAXES[str(root.tag)][1](root)]
    if not invoices:
        raise XmlBroken("it holds no invoice")
    return syntax, invoices


def _roots(document: _Element) -> list[_Element]:
    """The elements that are electronic invoices, in their envelope or alone."""
    candidates = document.iterchildren() if document.tag == _ENVELOPE else (document,)
    return [
        element
        for element in candidates
        if element.tag in _SYNTAXES and not (element.tag in _NAMED_SO_BY_OTHERS and element.find(_UBL_TOTALS) is None)
    ]


def _claims_to_be_one(source: XmlFile) -> bool:
    """Whether a broken file was meant to be an electronic invoice, by its name or by what it says."""
    return _NAMES.search(source.name) is not None or _ROOT.search(decode_text(source.content)) is not None
