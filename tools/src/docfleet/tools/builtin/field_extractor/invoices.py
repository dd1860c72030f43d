"""Number, dates and kind of an invoice or a credit note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import combinations

from docfleet.tools.builtin.field_extractor.labels import Hit
from docfleet.tools.builtin.field_extractor.reading import BRACKETS, Found, Reading

# Letters, digits and marks with at least one digit, perhaps after a series: "FT 2024/104".
_CODE = re.compile(
    r"(?<![^\s:#(：])#?\s?(?P<code>(?:[A-Z]{1,5}\s(?=[A-Z]{0,4}\d[\w]*[/-]))?(?=[\w/.\-]*\d)[^\W_][\w/.\-]*\w|\d)(?![,%\w])"
)
_NO_CODE = re.compile(
    r"\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,3}(?:[.,]\d{3})*[.,]\d{2}|\d{1,2}:\d{2}(?::\d{2})?|[A-Z]{2}\d{2}[A-Z0-9]{11,30}"
)
_PERIOD = re.compile(r"(?:19|20)\d\d\s?[-/]\s?\d{1,2}")
"""A month or a financial year; a number of an invoice only where its label is beside it."""
# Behind a label: marks, a bracket, and the small words of all languages.
_SEPARATOR = re.compile(r"[\s:：.#=\-\u2013\u2014*|]*")
_FROM = (
    r"vom|von|du|de|del|della|of|dated|from|af|den|av|fr[aå]n|van|z\s+dnia|dnia|z|ze\s+dne|zo\s+d[nň]a|din|din\s+data(?:\s+de)?|от|від|от\s+дата|am|le|per|with\s+date|"
    r"z\s+dne|od|из|της|tarihli|kelt|datert|dateret|daterad|με\s+ημερομηνία|d\.d\.|dd\.?|on"
)
_DATED = re.compile(rf"(?:^|[\s,(])(?:{_FROM})[\s:]+(?=\S)", re.IGNORECASE)
_BESIDE, _BELOW, _TITLE, _WITH_WORDS = 100, 90, 60, 95
_OTHER_DOCUMENT = 50
_MAX_WORDS = 3
_TITLE_LINES = 60
_INVOICE_CODES = re.compile(
    r"\((?:380|389|326|386|388|393|575|751|877|393|394|395|82|80|84|130|202|203|204|211|218|219|331|387|390|456|457|527|553|623|633|780|817|870|875|876|935)\)"
)
_CREDIT_CODES = re.compile(r"\((?:381|396|261|262|296|308|420|458|532|83|81)\)")
_SELF_BILLED = re.compile(r"self[- ]?bill|selbst\s+ausgestellt|gutschriftverfahren|autofactur|\(389\)", re.IGNORECASE)


def kind_of(reading: Reading) -> str:
    """``credit_note`` or ``invoice``, by the title: the first of their names that begins a line or a column."""
    if _SELF_BILLED.search(reading.text):
        return "invoice"
    for hit in reading.of("credit", "document", "credit_number", "invoice_number"):
        if reading.before(hit).strip() or reading.is_other(hit):
            continue
        line = reading.text[slice(*reading.line(hit.start))]
        if _INVOICE_CODES.search(line):
            return "invoice"
        credit = hit.fields & {"credit", "credit_number"} and not hit.fields & {"document", "invoice_number"}
        return "credit_note" if credit or _CREDIT_CODES.search(line) else "invoice"
    return "invoice"


def number_of(reading: Reading, kind: str) -> str | None:
    """The document's own number; None where it holds several documents, each with a labelled number."""
    found: list[tuple[float, str]] = []
    stated: set[str] = set()
    for order, hit in enumerate(reading.of("invoice_number", "credit_number", "document", "credit")):
        if reading.is_other(hit) or (hit.start and reading.text[hit.start - 1] == "-"):
            continue
        other = (kind == "credit_note") != bool(hit.fields & {"credit", "credit_number"})
        if other and kind == "credit_note" and reading.before(hit).strip():
            continue  # what it corrects: "zu Rechnung Nr. 17"
        less = order / 100 + (_OTHER_DOCUMENT if other and kind == "credit_note" else 0)
        labelled = bool(hit.fields & {"invoice_number", "credit_number"})
        for score, code in _numbers(reading, hit, labelled=labelled):
            found.append((score - less, code))
            if score == _BESIDE and not other:
                stated.add(code.casefold())
    # A number is also written without its series.
    if any(one not in each and each not in one for one, each in combinations(stated, 2)):
        return None
    return max(found, key=lambda item: item[0])[1] if found else None


def _numbers(reading: Reading, hit: Hit, *, labelled: bool) -> Iterator[tuple[float, str]]:
    start, end = reading.rest(hit)
    position = _after_label(reading.text, start, end)
    if not labelled:
        number = _number_word(reading, hit)
        if number is not None:
            position, labelled = _after_label(reading.text, number.end, end), True
            beside = _WITH_WORDS
        else:
            beside = _TITLE
    else:
        beside = _BESIDE
    code = _code_at(reading.text, position, end, labelled=labelled)
    if next(reading.dates(position, end), (-1,))[0] == position:
        code = None
    if code is not None:
        yield beside - (0 if not reading.before(hit).strip() else 5), code
    elif labelled and not _has_words(reading.text[start:end]):
        below = reading.below(hit, partial(_codes, reading))
        if below is not None:
            yield _BELOW, below[2]
    elif not labelled and reading.is_cell(hit):
        below = reading.below(hit, partial(_codes, reading))
        if (
            below is not None
            and reading.text[slice(*reading.line(hit.start))].strip() != reading.text[hit.start : hit.end]
        ):
            yield _TITLE - 10, below[2]


def _has_words(text: str) -> bool:
    first = re.split(r"\s{2,}", BRACKETS.sub("", text))[0]
    return re.search(r"[^\W\d_]{2}", first) is not None


def _number_word(reading: Reading, document: Hit) -> Hit | None:
    """The "No." that follows a document's name in its line, with brackets or few words between."""
    _, end = reading.line(document.start)
    for hit in reading.within(document.end, end, "number", "reference"):
        if "reference" in hit.fields:
            return None
        if "number" in hit.fields:
            between = BRACKETS.sub(" ", reading.text[document.end : hit.start])
            return (
                hit
                if len(re.findall(r"[^\W\d_]{2,}", between)) <= _MAX_WORDS and not re.search(r"\d", between)
                else None
            )
    return None


def _after_label(text: str, start: int, end: int) -> int:
    while True:
        before = start
        start = min(end, _SEPARATOR.match(text, start, end).end())  # type: ignore[union-attr]
        bracket = BRACKETS.match(text, start, end)
        if bracket:
            start = bracket.end()
        if start == before:
            return start


def _code_at(text: str, start: int, end: int, *, labelled: bool) -> str | None:
    match = _CODE.match(text, start, end)
    if match is None or _NO_CODE.fullmatch(match["code"]) or re.match(r"\s?%", text[match.end() : match.end() + 2]):
        return None
    return None if _PERIOD.fullmatch(match["code"]) and not labelled else match["code"]


def _codes(reading: Reading, start: int, end: int) -> Iterator[Found[str]]:
    dates = [(first, last) for first, last, _ in reading.dates(start, end)]
    for match in _CODE.finditer(reading.text, start, end):
        code = match["code"]
        in_date = any(first <= match.start("code") < last for first, last in dates)
        if not in_date and not _NO_CODE.fullmatch(code) and not _PERIOD.fullmatch(code):
            yield match.start("code"), match.end(), match["code"]


def date_of(reading: Reading, kind: str) -> str | None:
    """The date of issue: by its label, by the title, by the word "date" alone, else the only date there is."""
    found = [
        *_labelled_dates(reading, "issued", _BESIDE),
        *_title_dates(reading, kind),
        *_labelled_dates(reading, "date", 50),
    ]
    if found:
        return max(found, key=lambda item: item[0])[1]
    if any(reading.of("issued")):
        return None  # it is there, and could not be read
    due = {value for _, value in _labelled_dates(reading, "due", _BESIDE)}
    every = [(at, value) for at, _, value in reading.dates(0, len(reading.text))]
    left = {value for _, value in every} - due
    if len(left) != 1 or len({value for _, value in every}) > 2:
        return None
    others = {value for _, value in _labelled_dates(reading, "event", _BESIDE)}
    others |= {value for at, value in every if _is_of_another(reading, at)}
    return next(iter(left - others), None)


def _is_of_another(reading: Reading, at: int) -> bool:
    """Whether the words before a date in its line make it that of a delivery or of another document."""
    return any(reading.within(reading.line(at)[0], at, "event", "reference"))


def due_of(reading: Reading) -> str | None:
    """The date until which is to be paid."""
    found = list(_labelled_dates(reading, "due", _BESIDE))
    return max(found, key=lambda item: item[0])[1] if found else None


def _labelled_dates(reading: Reading, field: str, score: float) -> Iterator[tuple[float, str]]:
    for order, hit in enumerate(reading.of(field)):
        if reading.is_other(hit):
            continue
        start, end = reading.rest(hit, "issued", "due")
        position = _after_label(reading.text, start, end)
        first = next(reading.dates(position, end), None)
        alone = not reading.before(hit).strip()
        if first is not None and not re.search(r"[^\W\d_]{3,}.*[^\W\d_]{3,}", reading.text[position : first[0]]):
            if field == "date" and (not alone or re.search(r"[^\W\d_]{3}", reading.text[position : first[0]])):
                continue
            yield score - order / 100 - (0 if alone else 5), first[2]
        elif reading.is_cell(hit) or (field != "date" and not reading.text[position:end].strip()):
            below = reading.below(hit, reading.dates)
            if below is not None:
                yield score - 10 - order / 100, below[2]


def _title_dates(reading: Reading, kind: str) -> Iterator[tuple[float, str]]:
    """Dates in the line of the title: "Rechnung Nr. 7 vom 5. März 2024"."""
    for order, hit in enumerate(reading.of("document", "credit", "invoice_number", "credit_number")):
        titled = not reading.before(hit).strip()
        if not titled and kind == "credit_note" and not hit.fields & {"credit", "credit_number"}:
            continue  # what it corrects: "zu Rechnung Nr. 17 vom 1. März"
        if reading.is_other(hit) or not (titled or hit.fields & {"invoice_number", "credit_number"}):
            continue
        start, end = reading.rest(hit, "due", "reference")
        if _DATED.search(reading.text[start:end].rstrip() + " x") and reading.text[start:end].rstrip()[-1:].isalpha():
            _, end = reading.line(min(end + 1, len(reading.text)))
        first = next(reading.dates(start, end), None)
        if first is None:
            continue
        between = reading.text[start : first[0]]
        dated = _DATED.search(between + "x") is not None
        if not dated and (not titled or re.search(r"[.!?]\s+[^\W\d_]{3,}", BRACKETS.sub("", between))):
            continue
        yield 80 - order / 100 - (0 if dated else 20), first[2]
