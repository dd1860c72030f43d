"""Make sample documents with known truth.

    python examples/make_samples.py OUT_DIR

writes ten invoices (six PDFs in two layouts, a PNG and a JPEG that look scanned, a DOCX, an HTML) into OUT_DIR
and what they hold into ``OUT_DIR/../samples-truth.json``, by file name:
``{"issuer", "invoice_number", "date", "amount", "currency"}``.
The same seed makes the same bytes every time. All companies are invented.
"""

from __future__ import annotations

import datetime
import html
import io
import json
import random
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

SEED = 20260417
_ISSUERS = (
    "Northwind Paper Ltd.",
    "Harbour Light Electric Inc.",
    "Muster Werkzeugbau GmbH",
    "Alpenblick Kaffee GmbH",
    "Blue Heron Printing Co.",
    "Cedar Grove Supplies",
)
_ITEMS = (
    ("Copy paper A4, box", 2490),
    ("Desk lamp", 3995),
    ("Ballpoint pens, 50 pieces", 1750),
    ("Filing cabinet", 18900),
    ("Coffee beans, 1 kg", 1480),
    ("Maintenance, per hour", 8500),
    ("Toner cartridge", 7450),
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONATE = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
_PAGE = (595.0, 842.0)


class Invoice(NamedTuple):
    """One invented invoice; prices in cents."""

    issuer: str
    number: str
    date: datetime.date
    currency: str
    customer: str
    lines: tuple[tuple[str, int, int], ...]
    tax_percent: int

    @property
    def net(self) -> int:
        """Sum of the lines."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def tax(self) -> int:
        """Tax on the sum, rounded to a cent."""
        return (self.net * self.tax_percent + 50) // 100

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + self.tax

    @property
    def truth(self) -> dict[str, object]:
        """The fields an extraction should find."""
        return {
            "issuer": self.issuer,
            "invoice_number": self.number,
            "date": self.date.isoformat(),
            "amount": self.total / 100,
            "currency": self.currency,
        }

    def money(self, cents: int) -> str:
        """``1,234.50`` for dollars, ``1.234,50`` for euros."""
        text = f"{cents / 100:,.2f}"
        return text.translate(str.maketrans(",.", ".,")) if self.currency == "EUR" else text


def _invent(dice: random.Random, index: int, currency: str) -> Invoice:
    prefix, tax = ("RE", 19) if currency == "EUR" else ("INV", 8)
    chosen = dice.sample(_ITEMS, dice.randint(2, 4))
    return Invoice(
        issuer=_ISSUERS[2 + index % 2] if currency == "EUR" else _ISSUERS[(0, 1, 4, 5)[index % 4]],
        number=f"{prefix}-2026-{dice.randint(1000, 9999)}",
        date=datetime.date(2026, 1, 1) + datetime.timedelta(days=dice.randint(0, 180)),
        currency=currency,
        customer=dice.choice(("Sample Trading House", "Example Works", "Test & Sons")),
        lines=tuple((name, dice.randint(1, 5), price) for name, price in chosen),
        tax_percent=tax,
    )


def _pdf_american(invoice: Invoice) -> bytes:
    """Letterhead on the left, number and date in a column on the right, totals below a table."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=_PAGE, invariant=1)
    page.setFont("Helvetica-Bold", 22)
    page.drawString(56, 770, "INVOICE")
    page.setFont("Helvetica", 11)
    page.drawString(56, 740, f"Seller: {invoice.issuer}")
    page.drawString(56, 724, "12 Example Street, Springfield")
    page.drawString(56, 690, "Bill to:")
    page.drawString(56, 674, invoice.customer)
    date = f"{_MONTHS[invoice.date.month - 1]} {invoice.date.day}, {invoice.date.year}"
    for row, (label, value) in enumerate((("Invoice number:", invoice.number), ("Invoice date:", date))):
        page.drawString(350, 740 - 18 * row, label)
        page.drawRightString(540, 740 - 18 * row, value)
    y = 620.0
    page.setFont("Helvetica-Bold", 11)
    for x, heading in ((56, "Description"), (330, "Qty"), (400, "Price"), (490, "Amount")):
        page.drawString(x, y, heading)
    page.line(56, y - 5, 540, y - 5)
    page.setFont("Helvetica", 11)
    for name, quantity, price in invoice.lines:
        y -= 20
        page.drawString(56, y, name)
        page.drawRightString(350, y, str(quantity))
        page.drawRightString(435, y, invoice.money(price))
        page.drawRightString(540, y, invoice.money(quantity * price))
    totals = (
        ("Subtotal", invoice.net),
        (f"Sales tax {invoice.tax_percent}%", invoice.tax),
        ("Total due", invoice.total),
    )
    for row, (label, cents) in enumerate(totals):
        page.drawString(380, y - 40 - 20 * row, label)
        page.drawRightString(540, y - 40 - 20 * row, f"${invoice.money(cents)}")
    page.showPage()
    page.save()
    return buffer.getvalue()


def _pdf_german(invoice: Invoice) -> bytes:
    """Everything in one column, decimal commas, German labels."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=_PAGE, invariant=1)
    page.setFont("Times-Bold", 18)
    page.drawRightString(540, 780, invoice.issuer)
    page.setFont("Times-Roman", 12)
    date = f"{invoice.date.day}. {_MONATE[invoice.date.month - 1]} {invoice.date.year}"
    head = (
        f"Verkäufer: {invoice.issuer}",
        f"An: {invoice.customer}",
        "",
        f"Rechnungsnummer: {invoice.number}",
        f"Rechnungsdatum: {date}",
    )
    for row, text in enumerate(head):
        page.drawString(70, 730 - 18 * row, text)
    y = 610.0
    for name, quantity, price in invoice.lines:
        page.drawString(70, y, f"{quantity} x {name}")
        page.drawRightString(540, y, f"{invoice.money(quantity * price)} EUR")
        y -= 18
    totals = (
        ("Zwischensumme netto", invoice.net),
        (f"zzgl. {invoice.tax_percent} % MwSt.", invoice.tax),
        ("Gesamtbetrag", invoice.total),
    )
    for row, (label, cents) in enumerate(totals):
        page.drawString(300, y - 20 - 18 * row, label)
        page.drawRightString(540, y - 20 - 18 * row, f"{invoice.money(cents)} EUR")
    page.showPage()
    page.save()
    return buffer.getvalue()


def _scan(pdf: bytes, dice: random.Random, kind: str) -> bytes:
    """The first page as a scanner would see it: a little askew, grey, noisy."""
    import pypdfium2
    from PIL import Image

    document = pypdfium2.PdfDocument(pdf)
    sheet = document[0].render(scale=200 / 72, grayscale=True).to_pil().convert("L")
    document.close()
    sheet = sheet.rotate(dice.uniform(-0.8, 0.8), resample=Image.Resampling.BICUBIC, fillcolor=255)
    noise = Image.frombytes("L", sheet.size, dice.randbytes(sheet.width * sheet.height))
    buffer = io.BytesIO()
    Image.blend(sheet, noise, 0.12).save(buffer, kind, **({"quality": 80} if kind == "JPEG" else {}))
    return buffer.getvalue()


def _docx(invoice: Invoice) -> bytes:
    import docx

    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = datetime.datetime(2026, 1, 1)
    document.add_heading("Invoice", level=1)
    document.add_paragraph(f"Seller: {invoice.issuer}")
    document.add_paragraph(f"Bill to: {invoice.customer}")
    document.add_paragraph(f"Invoice number: {invoice.number}")
    document.add_paragraph(f"Invoice date: {invoice.date.strftime('%m/%d/%Y')}, terms 30 days, Springfield, IL 62701")
    table = document.add_table(rows=1, cols=3)
    for cell, text in zip(table.rows[0].cells, ("Description", "Qty", "Amount"), strict=True):
        cell.text = text
    rows = [(name, str(quantity), f"${invoice.money(quantity * price)}") for name, quantity, price in invoice.lines]
    rows += [("Subtotal", "", f"${invoice.money(invoice.net)}"), ("Sales tax", "", f"${invoice.money(invoice.tax)}")]
    rows += [("Total due", "", f"${invoice.money(invoice.total)}")]
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return _undated(buffer.getvalue())


def _undated(archive: bytes) -> bytes:
    """The same zip archive with fixed times, so that the same content is the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()


def _html(invoice: Invoice) -> bytes:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{quantity}</td><td>&euro; {invoice.money(quantity * price)}</td></tr>\n"
        for name, quantity, price in invoice.lines
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Invoice {invoice.number}</title>
<style>td {{ padding: 4px 12px }}</style></head>
<body><h1>Invoice</h1>
<p>Seller: {html.escape(invoice.issuer)}<br>Bill to: {html.escape(invoice.customer)}</p>
<table><tr><th>Invoice number</th><td>{invoice.number}</td></tr>
<tr><th>Invoice date</th><td>{invoice.date.strftime("%d.%m.%Y")}</td></tr></table>
<table>{rows}
<tr><td>Subtotal</td><td></td><td>&euro; {invoice.money(invoice.net)}</td></tr>
<tr><td>VAT {invoice.tax_percent}%</td><td></td><td>&euro; {invoice.money(invoice.tax)}</td></tr>
<tr><td>Total due</td><td></td><td>&euro; {invoice.money(invoice.total)}</td></tr></table>
</body></html>
""".encode()


def make_samples(folder: Path) -> dict[str, dict[str, object]]:
    """Write the samples into ``folder`` (created when absent); returns file name to expected fields."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(SEED)
    truth: dict[str, dict[str, object]] = {}

    def keep(name: str, invoice: Invoice, content: bytes) -> None:
        (folder / name).write_bytes(content)
        truth[name] = invoice.truth

    for index in range(3):
        invoice = _invent(dice, index, "USD")
        keep(f"invoice-us-{index + 1}.pdf", invoice, _pdf_american(invoice))
        invoice = _invent(dice, index, "EUR")
        keep(f"rechnung-de-{index + 1}.pdf", invoice, _pdf_german(invoice))
    for index, (name, kind) in enumerate((("scan-1.png", "PNG"), ("scan-2.jpg", "JPEG"))):
        invoice = _invent(dice, index + 1, "USD")
        keep(name, invoice, _scan(_pdf_american(invoice), dice, kind))
    invoice = _invent(dice, 2, "USD")
    keep("invoice-word.docx", invoice, _docx(invoice))
    invoice = _invent(dice, 1, "EUR")
    keep("invoice-web.html", invoice, _html(invoice))
    return truth


def main() -> int:
    """Make the samples and their truth."""
    if len(sys.argv) != 2:
        print("usage: make_samples.py OUT_DIR", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    truth = make_samples(folder)
    target = folder.resolve().parent / "samples-truth.json"
    target.write_text(json.dumps(truth, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(truth)} documents in {folder}, their fields in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
