"""Seller and buyer of an invoice: names by their labels, tax identifiers by where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docfleet.tools.builtin.field_extractor import identifiers, labels
from docfleet.tools.builtin.field_extractor.labels import Hit
from docfleet.tools.builtin.field_extractor.names import LEGAL_FORM
from docfleet.tools.builtin.field_extractor.reading import Found, Reading

_CELL = re.compile(r"\S+(?: \S+)*")
_NAME_LINES = 8
_NEAR_LINES = 9
_LEFT_OF = 8
_PARTS = re.compile(r"\s+[-\u2013|\u25cf\u2022\u00b7]\s+|,\s")
_NAME_LABEL = re.compile(
    r"(?:name|nom|nombre|nome|naam|namn|navn|nimi|nazwa|název|názov|név|denumire|firma|company)\s*:\s*", re.IGNORECASE
)
_NO_NAME = re.compile(r"\b(?:GLN|GTIN|DUNS)\b|:|^\W*\d|@|\bwww\b")


@dataclass(frozen=True, slots=True)
class Parties:
    """Names and tax identifiers; None is what the document does not say beyond doubt."""

    seller: str | None = None
    seller_tax_id: str | None = None
    buyer: str | None = None
    buyer_tax_id: str | None = None


def parties_of(reading: Reading) -> Parties:
    """Who sells and who buys."""
    seller, buyer = _name(reading, "seller"), _name(reading, "buyer")
    if seller is None:
        seller = _letterhead(reading, buyer)
    ids = _tax_ids(reading)
    return Parties(seller, ids.get("seller"), buyer if buyer != seller else None, ids.get("buyer"))


def _labels_of_parties(reading: Reading) -> Iterator[tuple[str, Hit]]:
    """Labels that begin a cell and are followed by nothing but a value."""
    for hit in reading.of("seller", "buyer"):
        if not reading.before(hit).strip() and len(hit.fields & {"seller", "buyer"}) == 1:
            _, end = reading.line(hit.start)
            rest = reading.text[hit.end : end]
            if re.match(r"\s*(?:[:/(]|\s{2}|$)", rest):
                yield ("seller" if "seller" in hit.fields else "buyer"), hit


def _cells(reading: Reading, start: int, end: int) -> Iterator[Found[str]]:
    for match in _CELL.finditer(reading.text, start, end):
        yield match.start(), match.end(), match[0]


def _name(reading: Reading, party: str) -> str | None:
    for whose, hit in _labels_of_parties(reading):
        if whose != party:
            continue
        _, end = reading.line(hit.start)
        beside = re.match(r"\s?:\s{0,60}(\S+(?: \S+)*)", reading.text[hit.end : end])
        if beside and _is_name(beside[1]):
            return beside[1].strip()
        for _, _, cell in reading.column(hit, lambda start, end: _cells(reading, start, end), _NAME_LINES):
            labelled = _NAME_LABEL.match(cell)
            if labelled and _is_name(cell[labelled.end() :]):
                return cell[labelled.end() :].strip()
            if labelled:
                return None
            if _is_name(cell):
                return cell.strip()
    return None


def _is_name(cell: str) -> bool:
    return (
        len(re.findall(r"[^\W\d_]", cell)) > 2
        and (LEGAL_FORM.search(cell) is not None or not re.search(r"\d", cell))
        and not _NO_NAME.search(cell)
        and not any(hit.end - hit.start == len(cell) for hit in labels.hits(cell))
    )


def _letterhead(reading: Reading, buyer: str | None) -> str | None:
    """The first line, when it is a company: its legal form says so."""
    first = next((line.strip() for line in reading.text.split("\n") if line.strip()), "")
    name = _PARTS.split(re.split(r"\s{3,}", first)[0])[0]
    form = LEGAL_FORM.search(name)
    return name if form and form.start() and len(name) < 60 and name != buyer else None


def _tax_ids(reading: Reading) -> dict[str, str]:
    """The tax identifiers by party. One that stands at no party's place is the seller's if there is no other."""
    found: dict[str, list[str]] = {"seller": [], "buyer": [], "": []}
    for hit in reading.of("vat_id"):
        start, end = reading.rest(hit, "vat_id", "seller", "buyer")
        match = identifiers.TAX_ID.search(reading.text, start, end)
        if match is None or re.search(r"[^\W\d_]{3,}", reading.text[start : match.start("id")]):
            continue
        identifier = identifiers.compact(match["id"])
        if not re.search(r"\d{5}", re.sub(r"\D", "", identifier)) or identifiers.is_iban(identifier):
            continue
        found[_party_at(reading, hit)].append(identifier)
    unassigned = set(found[""]) - set(found["seller"]) - set(found["buyer"])
    found["buyer"] = [identifier for identifier in found["buyer"] if identifier not in found["seller"]]
    ids = {party: next(iter(set(some))) for party, some in found.items() if party and len(set(some)) == 1}
    if "seller" not in ids and not found["seller"] and len(unassigned) == 1:
        ids["seller"] = unassigned.pop()
    return ids


def _party_at(reading: Reading, hit: Hit) -> str:
    words = labels.fold(reading.before(hit) + reading.text[hit.start : hit.end])
    if any(
        re.search(rf"\b{labels.fold(word)}", words)
        for word in ("client", "customer", "buyer", "your", "kunden", "ihre")
    ):
        return "buyer"
    line, column = reading.line_number(hit.start), hit.start - reading.line(hit.start)[0]
    nearest = ""
    for party, label in _labels_of_parties(reading):
        number = reading.line_number(label.start)
        at = label.start - reading.line(label.start)[0]
        if number <= line <= number + _NEAR_LINES and label.start < hit.start and at <= column + _LEFT_OF:
            # Another heading between them begins the block of a third party.
            between = reading.text[reading.line(label.start)[1] : hit.start]
            nearest = "" if re.search(r"^\s{0,4}[^\W\d_][^:\n]{4,60}:[ \t]*$", between, re.MULTILINE) else party
    return nearest
