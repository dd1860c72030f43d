"""OASIS UBL 2: invoices and credit notes of XRechnung, Peppol BIS and other customizations."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from docfleet.tools.builtin.field_extractor.einvoice import model
from docfleet.tools.builtin.field_extractor.einvoice.model import CREDIT_NOTE_CODES, Invoice, InvoiceLine, TaxLine
from docfleet.tools.builtin.field_extractor.einvoice.xml import text

if TYPE_CHECKING:
    from lxml.etree import _Element


def read(root: _Element) -> list[Invoice]:
    """The invoice or credit note ``root``, whose tags are local names."""
    totals = root.find("LegalMonetaryTotal")
    seller, buyer = root.find("AccountingSupplierParty/Party"), root.find("AccountingCustomerParty/Party")
    rounding = model.decimal(text(totals, "PayableRoundingAmount"))
    invoice = Invoice(
        number=text(root, "ID"),
        date=model.date(text(root, "IssueDate")),
        date_due=model.date(text(root, "DueDate")) or _latest_due(root),
        currency=model.currency(text(root, "DocumentCurrencyCode")) or _currency_of(totals),
        is_credit_note=root.tag == "CreditNote" or text(root, "InvoiceTypeCode") in CREDIT_NOTE_CODES,
        gross=model.decimal(text(totals, "TaxInclusiveAmount")),
        net=model.decimal(text(totals, "TaxExclusiveAmount")),
        payable=model.decimal(text(totals, "PayableAmount")),
        line_total=model.decimal(text(totals, "LineExtensionAmount")),
        extras=() if rounding is None else (rounding,),
        seller=_name(seller),
        seller_tax_id=_tax_id(seller),
        buyer=_name(buyer),
        buyer_tax_id=_tax_id(buyer),
        iban=model.iban(*(text(each, ".") for each in root.iterfind("PaymentMeans/PayeeFinancialAccount/ID"))),
        lines=[_line(item) for tag in ("InvoiceLine", "CreditNoteLine") for item in root.iterfind(tag)],
    )
    stated = [] if totals is None else [*totals.findall("TaxInclusiveAmount"), *totals.findall("PayableAmount")]
    if stated:
        invoice.total_currency = model.currency(stated[0].get("currencyID"))
    if invoice.gross is None and invoice.payable is not None:
        prepaid = model.decimal(text(totals, "PrepaidAmount")) or 0
        invoice.gross = invoice.payable + prepaid - (rounding or 0)
    taxes = _tax_total(root, invoice.currency)
    if taxes is not None:
        invoice.tax = model.decimal(text(taxes, "TaxAmount"))
        invoice.tax_lines = [_tax_line(part) for part in taxes.iterfind("TaxSubtotal")]
    return [invoice]


def _latest_due(root: _Element) -> str | None:
    paths = ("PaymentMeans/PaymentDueDate", "PaymentTerms/PaymentDueDate")
    return model.latest([model.date(text(each, ".")) for path in paths for each in root.iterfind(path)])


def _currency_of(totals: _Element | None) -> str | None:
    named = {model.currency(amount.get("currencyID")) for amount in ([] if totals is None else totals)}
    return named.pop() if len(named) == 1 else None


def _tax_total(root: _Element, currency: str | None) -> _Element | None:
    """The taxes in the currency of the document; another total may state them in the seller's currency."""
    stated: list[_Element] = root.findall("TaxTotal")
    own = [
        total
        for total in stated
        if (amount := total.find("TaxAmount")) is not None and amount.get("currencyID") in (currency, None)
    ]
    return next(iter(own), None)


def _tax_line(part: _Element) -> TaxLine:
    return TaxLine(
        rate=model.decimal(text(part, "TaxCategory/Percent", "Percent")),
        net=model.decimal(text(part, "TaxableAmount")),
        tax=model.decimal(text(part, "TaxAmount")),
    )


def _name(party: _Element | None) -> str | None:
    """The legal name, or the trading name, or that of a person."""
    found = text(party, "PartyLegalEntity/RegistrationName", "PartyName/Name")
    if found is not None or party is None:
        return found
    names = [text(party, f"Person/{part}") for part in ("FirstName", "FamilyName")]
    return " ".join(name for name in names if name) or None


def _tax_id(party: _Element | None) -> str | None:
    """The VAT identifier, or another number of the tax office where there is none."""
    schemes = [] if party is None else party.findall("PartyTaxScheme")
    vat = [scheme for scheme in schemes if (text(scheme, "TaxScheme/ID") or "").upper() == "VAT"]
    return next((found for scheme in (*vat, *schemes) if (found := text(scheme, "CompanyID")) is not None), None)


def _line(item: _Element) -> InvoiceLine:
    price: Decimal | None = model.decimal(text(item, "Price/PriceAmount"))
    return InvoiceLine(
        description=text(item, "Item/Name", "Item/Description"),
        quantity=model.decimal(text(item, "InvoicedQuantity", "CreditedQuantity")),
        unit_price=model.unit_price(price, model.decimal(text(item, "Price/BaseQuantity"))),
        amount=model.decimal(text(item, "LineExtensionAmount")),
    )
