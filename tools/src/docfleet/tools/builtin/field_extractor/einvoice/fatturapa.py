"""FatturaPA, the electronic invoice of Italy, ordinary and simplified. One file may hold several invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from docfleet.tools.builtin.field_extractor.einvoice import model
from docfleet.tools.builtin.field_extractor.einvoice.model import Invoice, InvoiceLine, TaxLine
from docfleet.tools.builtin.field_extractor.einvoice.xml import text

if TYPE_CHECKING:
    from lxml.etree import _Element

_CREDIT_NOTES = ("TD04", "TD08")
_GENERAL = "DatiGenerali/DatiGeneraliDocumento"


def read(root: _Element) -> list[Invoice]:
    """The invoices in ``root``, whose tags are local names, in order."""
    header = root.find("FatturaElettronicaHeader")
    simplified = root.tag == "FatturaElettronicaSemplificata"
    return [
        _simplified(header, body) if simplified else _ordinary(header, body)
        for body in root.iterfind("FatturaElettronicaBody")
    ]


def _ordinary(header: _Element | None, body: _Element) -> Invoice:
    invoice = _general(header, body)
    general = body.find(_GENERAL)
    invoice.tax_lines = [
        TaxLine(
            rate=model.decimal(text(part, "AliquotaIVA")),
            net=model.decimal(text(part, "ImponibileImporto")),
            tax=model.decimal(text(part, "Imposta")),
        )
        for part in body.iterfind("DatiBeniServizi/DatiRiepilogo")
    ]
    rounding = [
        amount
        for path in (f"{_GENERAL}/Arrotondamento", "DatiBeniServizi/DatiRiepilogo/Arrotondamento")
        for each in body.iterfind(path)
        if (amount := model.decimal(text(each, "."))) is not None
    ]
    stamp = model.decimal(text(general, "DatiBollo/ImportoBollo"))
    invoice.extras = (*rounding, *(() if stamp is None else (stamp,)))
    invoice.net = _sum([part.net for part in invoice.tax_lines])
    invoice.tax = _sum([part.tax for part in invoice.tax_lines])
    invoice.gross = model.decimal(text(general, "ImportoTotaleDocumento"))
    if invoice.gross is None and invoice.net is not None and invoice.tax is not None:
        # The total is optional, and is the sum of the summaries.
        invoice.gross = invoice.net + invoice.tax + sum(rounding)
    payments = [_amount(each) for each in body.iterfind("DatiPagamento/DettaglioPagamento/ImportoPagamento")]
    invoice.payable = _sum(payments)
    invoice.lines = [
        InvoiceLine(
            description=text(item, "Descrizione"),
            quantity=model.decimal(text(item, "Quantita")),
            unit_price=model.decimal(text(item, "PrezzoUnitario")),
            amount=model.decimal(text(item, "PrezzoTotale")),
        )
        for item in body.iterfind("DatiBeniServizi/DettaglioLinee")
    ]
    return invoice


def _simplified(header: _Element | None, body: _Element) -> Invoice:
    """Its lines state gross amounts, with either the tax or its rate; only what is stated is given."""
    invoice = _general(header, body)
    items = body.findall("DatiBeniServizi")
    amounts = [_amount(item.find("Importo")) for item in items]
    invoice.gross = _sum(amounts)
    invoice.tax = _sum([model.decimal(text(item, "DatiIVA/Imposta")) for item in items])
    if invoice.gross is not None and invoice.tax is not None:
        invoice.net = invoice.gross - invoice.tax
    invoice.lines = [
        InvoiceLine(description=text(item, "Descrizione"), quantity=None, unit_price=None, amount=amount)
        for item, amount in zip(items, amounts, strict=True)
    ]
    return invoice


def _general(header: _Element | None, body: _Element) -> Invoice:
    general = body.find(_GENERAL)
    payments = body.findall("DatiPagamento/DettaglioPagamento")
    seller = None if header is None else header.find("CedentePrestatore")
    buyer = None if header is None else header.find("CessionarioCommittente")
    return Invoice(
        number=text(general, "Numero"),
        date=model.date(text(general, "Data")),
        date_due=model.latest([model.date(text(payment, "DataScadenzaPagamento")) for payment in payments]),
        currency=model.currency(text(general, "Divisa")),
        is_credit_note=text(general, "TipoDocumento") in _CREDIT_NOTES,
        seller=_name(seller),
        seller_tax_id=_tax_id(seller),
        buyer=_name(buyer),
        buyer_tax_id=_tax_id(buyer),
        iban=model.iban(*(text(payment, "IBAN") for payment in payments)),
    )


def _amount(node: _Element | None) -> Decimal | None:
    return model.decimal(text(node, "."))


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    """The sum; None when there are none, or one of them is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal()) if known and len(known) == len(amounts) else None


def _name(party: _Element | None) -> str | None:
    places = ("DatiAnagrafici/Anagrafica", "AltriDatiIdentificativi", ".")
    for place in (each for path in places if party is not None and (each := party.find(path)) is not None):
        found = text(place, "Denominazione")
        if found is None:
            found = " ".join(name for part in ("Nome", "Cognome") if (name := text(place, part))) or None
        if found is not None:
            return found
    return None


def _tax_id(party: _Element | None) -> str | None:
    """The VAT number with its country, or the fiscal code."""
    for place in ("DatiAnagrafici", "IdentificativiFiscali", "."):
        part = None if party is None else party.find(place)
        code, country = text(part, "IdFiscaleIVA/IdCodice"), text(part, "IdFiscaleIVA/IdPaese") or ""
        if code is not None:
            return code if code.startswith(country) else country + code
        fiscal = text(part, "CodiceFiscale")
        if fiscal is not None:
            return fiscal
    return None
