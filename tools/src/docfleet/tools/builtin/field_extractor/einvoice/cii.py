"""UN/CEFACT Cross Industry Invoice: Factur-X, ZUGFeRD 2, XRechnung; and ZUGFeRD 1, its forerunner."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from docfleet.tools.builtin.field_extractor.einvoice import model
from docfleet.tools.builtin.field_extractor.einvoice.model import CREDIT_NOTE_CODES, Invoice, InvoiceLine, TaxLine
from docfleet.tools.builtin.field_extractor.einvoice.xml import text

if TYPE_CHECKING:
    from lxml.etree import _Element

# Each part by its names in D16B and in ZUGFeRD 1.
_DOCUMENT = ("ExchangedDocument", "HeaderExchangedDocument")
_TRANSACTION = ("SupplyChainTradeTransaction", "SpecifiedSupplyChainTradeTransaction")
_AGREEMENT = ("ApplicableHeaderTradeAgreement", "ApplicableSupplyChainTradeAgreement")
_SETTLEMENT = ("ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement")
_SUMMATION = ("SpecifiedTradeSettlementHeaderMonetarySummation", "SpecifiedTradeSettlementMonetarySummation")
_LINE_AGREEMENT = ("SpecifiedLineTradeAgreement", "SpecifiedSupplyChainTradeAgreement")
_LINE_DELIVERY = ("SpecifiedLineTradeDelivery", "SpecifiedSupplyChainTradeDelivery")
_LINE_SETTLEMENT = ("SpecifiedLineTradeSettlement", "SpecifiedSupplyChainTradeSettlement")
_LINE_SUMMATION = ("SpecifiedTradeSettlementLineMonetarySummation", "SpecifiedTradeSettlementMonetarySummation")
_RATES = ("RateApplicablePercent", "ApplicablePercent")
# Lines of EXTENDED that sum up or explain others.
_NO_ITEMS = ("GROUP", "INFORMATION")


def read(root: _Element) -> list[Invoice]:
    """The invoice in ``root``, whose tags are local names."""
    document, transaction = _part(root, _DOCUMENT), _part(root, _TRANSACTION)
    agreement, settlement = _part(transaction, _AGREEMENT), _part(transaction, _SETTLEMENT)
    totals = _part(settlement, _SUMMATION)
    invoice = Invoice(
        number=text(document, "ID"),
        date=model.date(text(document, "IssueDateTime")),
        currency=model.currency(text(settlement, "InvoiceCurrencyCode")) or _currency_of(totals),
        is_credit_note=text(document, "TypeCode") in CREDIT_NOTE_CODES,
        payable=model.decimal(text(totals, "DuePayableAmount")),
        line_total=model.decimal(text(totals, "LineTotalAmount")),
        net=model.decimal(text(totals, "TaxBasisTotalAmount")),
    )
    gross = model.stated_in(invoice.currency, [] if totals is None else totals.findall("GrandTotalAmount"))
    if gross is not None:
        invoice.gross, invoice.total_currency = model.decimal(text(gross, ".")), model.currency(gross.get("currencyID"))
    invoice.tax = _tax_total(totals, invoice.currency)
    if invoice.net is None and invoice.gross is not None and invoice.tax is not None:
        invoice.net = invoice.gross - invoice.tax
    if settlement is not None:
        _read_settlement(settlement, invoice)
    if agreement is not None:
        seller, buyer = agreement.find("SellerTradeParty"), agreement.find("BuyerTradeParty")
        invoice.seller, invoice.seller_tax_id = _name(seller), _tax_id(seller)
        invoice.buyer, invoice.buyer_tax_id = _name(buyer), _tax_id(buyer)
    # In ZUGFeRD 1 some producers put the lines into the settlement.
    items = [] if transaction is None else transaction.iter("IncludedSupplyChainTradeLineItem")
    invoice.lines = [line for item in items if (line := _line(item)) is not None]
    return [invoice]


def _part(node: _Element | None, names: tuple[str, ...]) -> _Element | None:
    return None if node is None else next((part for name in names if (part := node.find(name)) is not None), None)


def _currency_of(totals: _Element | None) -> str | None:
    """The one currency of the totals, where the invoice names none."""
    if totals is None:
        return None
    named = {code for amount in totals if (code := model.currency(amount.get("currencyID"))) is not None}
    return named.pop() if len(named) == 1 else None


def _tax_total(totals: _Element | None, currency: str | None) -> Decimal | None:
    """The tax in the currency of the invoice; it may be stated in the seller's currency, too."""
    stated = [] if totals is None else totals.findall("TaxTotalAmount")
    own = [amount for amount in stated if amount.get("currencyID") == currency]
    if not own:
        own = [amount for amount in stated if amount.get("currencyID") is None] or (stated if len(stated) == 1 else [])
    return model.decimal(text(own[0], ".")) if own else None


def _read_settlement(settlement: _Element, invoice: Invoice) -> None:
    terms = settlement.iterfind("SpecifiedTradePaymentTerms")
    invoice.date_due = model.latest([model.date(text(term, "DueDateDateTime")) for term in terms])
    accounts = settlement.iterfind("SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount")
    invoice.iban = model.iban(*(text(account, "IBANID", "ProprietaryID") for account in accounts))
    invoice.tax_lines = [
        TaxLine(
            rate=model.decimal(text(tax, *_RATES)),
            net=model.decimal(text(tax, "BasisAmount")),
            tax=model.decimal(text(tax, "CalculatedAmount")),
        )
        for tax in settlement.iterfind("ApplicableTradeTax")
    ]
    totals = _part(settlement, _SUMMATION)
    rounding = model.decimal(text(totals, "RoundingAmount"))
    invoice.extras = () if rounding is None else (rounding,)


def _name(party: _Element | None) -> str | None:
    return text(party, "Name", "SpecifiedLegalOrganization/TradingBusinessName", "DefinedTradeContact/PersonName")


def _tax_id(party: _Element | None) -> str | None:
    """The VAT identifier, or another number of the tax office where there is none."""
    return text(party, "SpecifiedTaxRegistration/ID[@schemeID='VA']", "SpecifiedTaxRegistration/ID")


def _line(item: _Element) -> InvoiceLine | None:
    """The item; None for a line that is only a remark, or a sum of others."""
    if text(item, "AssociatedDocumentLineDocument/LineStatusReasonCode") in _NO_ITEMS:
        return None
    agreement, settlement = _part(item, _LINE_AGREEMENT), _part(item, _LINE_SETTLEMENT)
    price = None if agreement is None else agreement.find("NetPriceProductTradePrice")
    line = InvoiceLine(
        description=text(item, "SpecifiedTradeProduct/Name", "SpecifiedTradeProduct/Description"),
        quantity=model.decimal(text(_part(item, _LINE_DELIVERY), "BilledQuantity")),
        unit_price=model.unit_price(
            model.decimal(text(price, "ChargeAmount")), model.decimal(text(price, "BasisQuantity"))
        ),
        amount=model.decimal(text(_part(settlement, _LINE_SUMMATION), "LineTotalAmount")),
    )
    return line if line.description is not None or line.amount is not None else None
