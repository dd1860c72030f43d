"""Shop, address, date and total of a receipt, as OCR reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docfleet.tools.builtin.field_extractor import dates
from docfleet.tools.builtin.field_extractor.amounts import amounts
from docfleet.tools.builtin.field_extractor.names import LEGAL_FORM
from docfleet.tools.builtin.field_extractor.reading import Reading

_TENDER = 40
# How much each label speaks for the total. What was paid after rounding to coins is the total.
_TOTALS = (
    (r"round\w*\W{0,2}\w?\s*total|total\s*(?:after\s+)?\(?round\w*"
     r"|^\W*round(?:ing|ed)\W*(?:rm|rh)?\W*(?=\d{1,}[.,]\d\d\W*$)", 95),
    (r"grand\s+total|total\s+(?:amount\s+)?payable|amount\s+(?:payable|due)|total\s+(?:amount\s+)?due"
     r"|ne[t!]t?\s+total|total\s+ne[t!]t", 90),
    (r"total\s+(?:sales\s*)?\(?incl\w*|total\s+(?:inc|with|w/)\W*(?:of\s+)?(?:gst|vat|tax|sst)|total\s+amount|total\s+sales"
     r"|gesamtbetrag|endbetrag|zu\s+zahlen|total\s+ttc|montant\s+total|totale\s+complessivo|do\s+zapłaty|suma\s+pln|te\s+betalen"
     r"|att\s+betala|at\s+betale|å\s+betale|total\s+a\s+pagar|net\s+à\s+payer|jumlah\s+(?:bayaran|besar)", 85),
    (r"t[o0]t[ae]l|summe|totaal|jumlah|totale|summa|razem|suma|yhteensä|celkem|итого|összesen"
     r"|i\s+alt|σύνολο|toplam", 80),
    (r"^\W*(?:cash|visa|master\w*|amex|debit|credit\s+card|bar|karte|carte|tunai|payment|amount|amt|card)\b", _TENDER),
)  # fmt: skip
_TOTAL_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), score) for pattern, score in _TOTALS)
_NOT_THE_TOTAL = re.compile(
    r"sub\W{0,2}t[o0]tal|zwischensumme|sous\W?total|total\s+(?:qty|quantity|items?|saving|disc|tax|gst|vat|sst|pieces|units?|points?|pax|no)"
    r"|exc[l!]|before\s+(?:tax|gst)|hors\s+taxe|total\s+(?:ht|hors)|w/?o\s+gst|without|netto|ex\.?\s+gst|summary|tax\s+total|item\s*(?:count|total)"
    r"|rounding\s+adj|t[o0]tal\s*\d+\s*item",
    re.IGNORECASE,
)
_BEFORE_TAX = re.compile(r"gst|tax|vat|sst", re.IGNORECASE)
_CHANGE = re.compile(r"^\W*(?:change|rückgeld|baki|wechselgeld|monnaie|rendu|balance)\b", re.IGNORECASE)
_CASH = re.compile(r"^\W*(?:cash|tunai|bar|tender\w*|payment|paid|gegeben)\b", re.IGNORECASE)
_ROUNDING = re.compile(r"round|pembundaran|bundar|rundung|avrund|öresavr|afrond|pyöristys", re.IGNORECASE)
_CENTS = re.compile(r"\d[.,]\s?\d{2}$")
_SPLIT_CENTS = re.compile(r"(?<=\d)([.,])\s(?=\d{2}(?!\d))")
_COIN = 0.055
_CENT = 0.001
_TOP_LINES, _MAX_ADDRESS = 12, 6
_DATE_LABEL = re.compile(r"date|tarikh|datum|fecha|data|dato|päivä|дата|tanggal", re.IGNORECASE)
# What ends the shop's name and its address.
_OTHER_LINE = re.compile(
    r"(?:\btel\b|phone|telefon|\bfax\b|h/?p\b|mobile|gst\b|\bsst\b|\bvat\b|\btax\b|\bust\b|\bmwst|\btin\b|invoice|receipt|rechnung|bill\b|cash|date|time|www|http|@|e-?mail"
    r"|reg\W*no|company\s+no|co\W*no|co\W*reg|roc\b|table|counter|order|cashier|member|welcome|thank|doc\b|document|salesperson|siret|\btva\b|\biva\b|\bnif\b|\bnip\b|hotline|customer)",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b(?:no\W{0,2}\s?\d|lot\b|unit\b|jalan|jln|jl\b|lorong|taman|tmn|block|blk|level|floor|ground|wisma|plaza|bandar|kampung|kg\b|persiaran|lebuh\w*|street"
    r"|st\b|road|rd\b|avenue|ave\b|lane|drive|blvd|highway|rue|via|calle|avenida|str\.|straße|strasse|platz|weg\b|ul\.|autoroute|pt\b|p\.\s?t\b|g-?\d)",
    re.IGNORECASE,
)
_POSTCODE = re.compile(
    r"(?<![\d-])(?<!lot\s)(?<!no\s)(?<!no[.:]\s)\d{5}(?![\d-])(?=\W+[^\W\d_]{2})|(?<!\d)\d{4}\s[A-Z]{2}\b|\b[A-Z]{1,2}\d[\dA-Z]?\s\d[A-Z]{2}\b|(?<!\d)\d{2}-\d{3}(?!\d)|(?<!\d)\d{4}\s+[^\W\d_]{3}",
    re.IGNORECASE,
)
_REGISTER = re.compile(
    r"\s*[({\[]?\s?(?:co\.?\s*(?:reg\.?)?\s*no\.?\W*)?\d{4,12}\s?-?\s?[A-Z¥]?\s?[)}\]]?\s*$|\s*[({\[]\s?[A-Z]{0,3}\d[\w\s-]{4,14}[)}\]].*$",
    re.IGNORECASE,
)


def company_of(reading: Reading) -> str | None:
    """The shop's name: the line with its legal form, else the first line of words."""
    lines = _top(reading)
    named = next((index for index, line in enumerate(lines[:8]) if _is_company(line)), None)
    if named is not None:
        name = _clean(lines[named])
        form = LEGAL_FORM.search(name)
        # The name may need two lines, and its second begins with the legal form.
        if named and form and len(re.sub(r"[\W\d_]", "", name[: form.start()])) < 3:
            name = f"{_clean(lines[named - 1])} {name}"
        return name
    words = (line for line in lines if _is_name(_clean(line)))
    first = next(words, None)
    return None if first is None else _clean(first)


def _is_company(line: str) -> bool:
    """Whether a line has a legal form, or the company's number in brackets behind a name."""
    return LEGAL_FORM.search(_clean(line)) is not None or re.search(r"[^\W\d_]{3}.*\(\d{5,8}-[A-Z]\)", line) is not None


def _is_name(line: str) -> bool:
    letters = sum(letter.isalpha() for letter in line)
    marks = sum(not letter.isalnum() and not letter.isspace() for letter in line)
    other = _STREET.match(line.strip()) or _OTHER_LINE.search(line) or _POSTCODE.search(line)
    return re.search(r"[^\W\d_]{3}", line) is not None and letters >= 4 and letters >= 2 * marks and not other


def _mended(line: str) -> str:
    """The first column of a line, with the digits that OCR read for letters within words."""
    cell = re.sub(r"\s+", " ", re.split(r"\s{12,}", line.strip())[0])
    cell = re.sub(r"(?<=[A-Z]{2})0(?=[A-Z])|(?<![^\W_])0(?=[A-Z]{3})|(?<=[A-Z])0(?=[A-Z]{2})", "O", cell)
    cell = re.sub(r"(?<=[A-Z]{2})1(?=[A-Z]{2})", "I", cell)
    return re.sub(r"(?<![^\W_])5(?=[A-Z]{3})", "S", cell)


def _clean(line: str) -> str:
    name = re.sub(r"(?<![^\W_])[S5]/[B8](?![^\W_])", "S/B", _mended(line))
    return _REGISTER.sub("", name).strip(" -:;,|=*~_'\"\u2018\u201c")


def _top(reading: Reading) -> list[str]:
    lines = [line for line in reading.text.split("\n") if re.search(r"[^\W_]{2}", line)]
    return lines[:_TOP_LINES]


def address_of(reading: Reading) -> str | None:
    """The shop's address in one line: what stands between its name and the postcode, and the place behind it."""
    lines = [_mended(line) for line in _top(reading)]
    last = next((index for index, line in enumerate(lines) if index and _POSTCODE.search(line)), None)
    name = company_of(reading)
    after_name = next((index + 1 for index, line in enumerate(lines) if name and name.endswith(_clean(line))), 0)
    street = next((index for index, line in enumerate(lines) if _begins_address(line)), None)
    if last is not None and after_name <= last:
        first = street if street is not None and street <= last else after_name
    elif street is not None:
        first, last = street, street
        while last + 1 < len(lines) and not _ends_address(lines[last + 1]) and last - first < 2:
            last += 1
    else:
        return None
    between = [line for line in lines[first : last + 1] if not _ends_address(line) or _POSTCODE.search(line)]
    behind = lines[last + 1] if last + 1 < len(lines) else ""
    if (
        re.fullmatch(r"[^\W\d_][^\d:;=*#]{2,28}", behind)
        and not _ends_address(behind)
        and _POSTCODE.search(lines[last])
    ):
        between.append(behind)
    parts = [line.strip(" -:;|=*~_'\"\u2018(") for line in between[-_MAX_ADDRESS:]]
    return " ".join(parts) if re.search(r"\d", " ".join(parts)) else None


def _begins_address(line: str) -> bool:
    return re.match(r"[^\w]*(?:[A-Z]{0,3}\d[\w/-]*,\s)", line) is not None or (
        _STREET.search(line) is not None and not LEGAL_FORM.search(line) and not _OTHER_LINE.search(line)
    )


def _ends_address(line: str) -> bool:
    register = _REGISTER.fullmatch(line) is not None
    return (
        register
        or (_OTHER_LINE.search(line) is not None)
        or re.search(r"\d{1,2}[:/]\d{2}[:/\s]|\d[.,]\d{2}\s*$", line) is not None
    )


def date_of(reading: Reading) -> str | None:
    """The first date beside the word "date", else the first date."""
    every = [(match.start(), value) for match, value in dates.dates(reading.text, reading.locale)]
    for start, value in every:
        line_start, _ = reading.line(start)
        if _DATE_LABEL.search(reading.text[line_start:start]):
            return value
    return every[0][1] if every else None


def _amounts_of_lines(reading: Reading) -> Iterator[tuple[str, list[float]]]:
    for line in reading.text.split("\n"):
        mended = _SPLIT_CENTS.sub(r"\1", line)
        values = [value for match, value in amounts(mended, reading.locale) if _CENTS.search(match["number"])]
        yield mended, values


def total_of(reading: Reading) -> float | None:
    """What the customer had to pay, after rounding to coins; a till always prints cents."""
    lines = list(_amounts_of_lines(reading))
    found: list[tuple[float, float]] = []
    rounding = [values[-1] for line, values in lines if _ROUNDING.search(line) and values and abs(values[-1]) < _COIN]
    cash = [values[-1] for line, values in lines if _CASH.search(line) and values]
    change = [values[-1] for line, values in lines if _CHANGE.search(line) and values]
    paid = {round(given - back, 2) for given in cash for back in change}
    every = {value for _, values in lines for value in values}
    for index, (line, values) in enumerate(lines):
        pattern = next(((match, score) for known, score in _TOTAL_PATTERNS if (match := known.search(line))), None)
        if pattern is None or _NOT_THE_TOTAL.search(line):
            continue
        match, score = pattern
        here = [value for value in values if value >= 0]
        alone = not re.sub(match.re, "", line).strip(" :.=-") if score == _TENDER else True
        if not here and alone and index + 1 < len(lines) and not re.search(r"[^\W\d_]{3}", lines[index + 1][0]):
            here = [value for value in lines[index + 1][1] if value >= 0]
        if here:
            value = here[-1]
            bonus = 12 if value in paid else 0
            if any(adjustment and round(value - adjustment, 2) in every for adjustment in rounding):
                bonus += 12
            found.append((score + bonus - index / 1000, value))
    if not found:
        return None
    best = max(found, key=lambda item: item[0])[1]
    # A total before rounding, whose rounded one was read wrongly or has no label.
    for adjustment in rounding:
        rounded = round(best + adjustment, 2)
        if adjustment and rounded != best and rounded in every and round(rounded * 20) == round(rounded * 20, 6):
            return rounded
    return best
