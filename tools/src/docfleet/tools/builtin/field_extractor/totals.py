"""The totals of an invoice: gross, net and tax, chosen so that they add up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from docfleet.tools.builtin.field_extractor.amounts import amounts, sign_pattern
from docfleet.tools.builtin.field_extractor.labels import Hit
from docfleet.tools.builtin.field_extractor.reading import BRACKETS, Reading

_GROSS, _PAYABLE, _TOTAL = 100, 80, 60
_BELOW, _HEADING = 30, 25
_PROOF = 60
_CENT = 0.021
_STOPS = ("gross", "payable", "net", "tax", "total", "due")
_SUMS = {"gross", "payable", "net", "total", "due"}
_FREE_LETTERS = 6
_MAX_CANDIDATES = 12
_MAX_WORD = 24
# "Including", in the languages of Europe.
_WITH = (
    r"in[ck]l[\w.]*|inkl[\w.]*|inc|sis\.?|med|con|com|avec|with|includ\w+|dahil|s|z|с|ar|su|vč\.?|včetně|vrátane"
    r"|w\s+tym|με|със?|dont|davon|darin|im|sa|so|koos"
)
_CENTS = re.compile(r"\d[.,\u00b7\u066b]\d{2}(?!\d)")
# Behind a number that is no amount.
_MEASURE = re.compile(
    r"\s?(?:k?g|lbs?|km|k?wh|m[\u00b2\u00b3]|h|hrs?|hours?|std|stk|pcs?|pieces?|units?)(?!\w)", re.IGNORECASE
)
_PERCENT = re.compile(r"(?<![\w.,])(\d{1,2}(?:[.,]\d{1,4})?)\s?[%\u066a]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An amount that may be a total, how much speaks for it, and where it stands."""

    value: float
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals found; ``line`` is where the gross amount stands."""

    gross: float | None = None
    net: float | None = None
    tax: float | None = None
    line: str = ""

    def times(self, sign: int) -> Totals:
        """The same totals, each times ``sign``."""
        gross, net, tax = (None if value is None else sign * value for value in (self.gross, self.net, self.tax))
        return Totals(gross, net, tax, self.line)


def totals_of(reading: Reading) -> Totals:
    """Gross, net and tax. Of several candidates those win that add up."""
    gross = [
        *_candidates(reading, "gross", _GROSS),
        *_candidates(reading, "payable", _PAYABLE),
        *_candidates(reading, "total", _TOTAL),
    ]
    gross = _with_cents(reading, gross)
    net, tax = list(_candidates(reading, "net", _GROSS)), list(_candidates(reading, "tax", _GROSS))
    gross, net, tax = (sorted(some, key=lambda c: -c.score)[:_MAX_CANDIDATES] for some in (gross, net, tax))
    proofs = [
        (g.score + _PROOF + (n.score + t.score) / 10, g, n, t)
        for g, n, t in product(gross, net, tax)
        if abs(n.value + t.value - g.value) < _CENT and n.value
    ]
    # Alone, a heading above a column of items is no evidence.
    firm = [candidate for candidate in gross if candidate.score > _TOTAL - _BELOW]
    best = max(firm, key=lambda candidate: candidate.score, default=None)
    if proofs:
        score, proven, with_net, with_tax = max(proofs, key=lambda proof: proof[0])
        if best is None or score >= best.score:
            return Totals(proven.value, with_net.value, with_tax.value, _line(reading, proven))
    if best is None:
        return Totals()
    sure_net = {n.value for n in net if n.score > _GROSS - _BELOW}
    sure_tax = {t.value for t in tax if t.score > _GROSS - _BELOW}
    return Totals(
        best.value,
        next(iter(sure_net)) if len(sure_net) == 1 else None,
        next(iter(sure_tax)) if len(sure_tax) == 1 else None,
        _line(reading, best),
    )


def _with_cents(reading: Reading, gross: list[Candidate]) -> list[Candidate]:
    """``gross`` without whole numbers, which count pieces where other totals have cents, and without weights."""
    amounts_only = [each for each in gross if not _MEASURE.match(reading.text, each.end)]
    return [each for each in amounts_only if _CENTS.search(reading.text, each.start, each.end)] or amounts_only


def _line(reading: Reading, candidate: Candidate) -> str:
    return reading.text[slice(*reading.line(candidate.start))]


def _candidates(reading: Reading, field: str, score: float) -> Iterator[Candidate]:
    for order, hit in enumerate(reading.of(field)):
        if len(hit.fields & set(_STOPS)) > 1 and field == "total":
            continue
        if reading.is_other(hit) or _is_net(reading, hit, field):
            continue
        # Totals stand at the end, after the items.
        late = order / 100
        start, end = _rest(reading, hit)
        found = list(reading.amounts(start, _cell_end(reading.text, start, end)))
        if found and not _free_letters(reading, hit, start, found[0][0]):
            at, until, value = found[0] if field == "net" else found[-1]
            yield Candidate(value, score + late - (0 if not reading.before(hit).strip() else 8), at, until)
        elif not found and (reading.is_cell(hit) or not reading.text[start:end].strip(" :.=")):
            less = _BELOW if field != "total" else _BELOW + _HEADING
            # The sum is the last line of a table.
            for number, (at, until, value) in enumerate(reading.column(hit, reading.amounts)):
                yield Candidate(value, score + late - less + number / 10, at, until)


def _is_net(reading: Reading, hit: Hit, field: str) -> bool:
    """Whether words around the label make it the total before tax: "Total (excl. VAT)"."""
    if field == "net":
        return False
    if field == "tax":
        before = reading.before(hit)
        return re.search(rf"(?:^|\s|\()(?:{_WITH})\.?\s?$", before, re.IGNORECASE) is not None or _is_without(
            reading, hit
        )
    start, end = reading.rest(hit)
    cell = re.split(r"\s{2,}|\d", reading.text[start:end].lstrip())[0]
    span = (hit.start - len(reading.before(hit)), start + len(cell) + 2)
    return any(other is not hit for other in reading.within(*span, "untaxed", "net"))


def _is_without(reading: Reading, hit: Hit) -> bool:
    before = reading.within(max(0, hit.start - _MAX_WORD), hit.start, "untaxed")
    return any(hit.start - 2 <= other.end for other in before)


def _rest(reading: Reading, hit: Hit) -> tuple[int, int]:
    """The rest of the line up to the next total; "USt." in "Summe inkl. USt.: 12,00" is none."""
    start, end = reading.rest(hit)
    for other in reading.within(start, end, *_STOPS):
        if not (not other.fields & _SUMS and _is_net(reading, other, "tax")):
            return start, other.start
    return start, end


def _cell_end(text: str, start: int, end: int) -> int:
    """Where another column of words begins: its amounts belong to other labels."""
    for match in re.finditer(r"\s{2,}(?=[^\W\d_]{3})", text[start:end]):
        at = start + match.end()
        if re.search(r"\d", text[start:at]) and not re.match(rf"(?:{sign_pattern()})(?!\w)", text[at:end]):
            return start + match.start()
    return end


def _free_letters(reading: Reading, hit: Hit, start: int, end: int) -> bool:
    """Whether words stand between a label and the amount: "Gesamtbetrag der Abschläge -0,00" is another total."""
    between = BRACKETS.sub(" ", reading.text[start:end])
    for other in reading.within(start, end, "tax", "total", "gross", "currency", "untaxed"):
        between = between.replace(reading.text[other.start : other.end], " ", 1)
    between = re.sub(rf"(?<!\w)(?:{sign_pattern()}|{_WITH}|fällig)(?!\w)", " ", between)
    return len(re.findall(r"[^\W\d_]", between)) > _FREE_LETTERS


def tax_lines_of(reading: Reading, totals: Totals) -> list[dict[str, float]]:
    """The rates of tax with their bases, from lines whose numbers fit each other; empty unless all of them add up."""
    found: dict[float, dict[str, float]] = {}
    for hit in reading.of("tax"):
        start, end = reading.line(hit.start)
        line = reading.text[start:end]
        rates = [float(match[1].replace(",", ".")) for match in _PERCENT.finditer(line)]
        values = [value for _, _, value in reading.amounts(start, end)]
        numbers = [value for _, value in amounts(reading.text, reading.locale, start, end) if 0 <= value <= 30]
        sign = -1 if totals.net is not None and totals.net < 0 and not any(value < 0 for value in values) else 1
        values = [sign * value for value in values]
        bases = [*values, *([totals.net] if totals.net is not None else [])]
        for rate, base, tax in product(rates or numbers, bases, values):
            if abs(base * rate / 100 - tax) < _CENT / 2 and (rate or base != tax) and (base or not tax):
                found.setdefault(rate, {"rate": rate, "net": base, "tax": tax})
    lines = list(found.values())
    if not lines or totals.tax is None or totals.net is None:
        return []
    adds_up = abs(sum(line["tax"] for line in lines) - totals.tax) < _CENT * len(lines)
    return lines if adds_up and abs(sum(line["net"] for line in lines) - totals.net) < _CENT * len(lines) else []
