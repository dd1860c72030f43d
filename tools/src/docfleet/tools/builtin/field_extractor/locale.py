"""How this document writes its numbers and dates: settings first, then the evidence of all that it says."""

from __future__ import annotations

from dataclasses import dataclass

from docfleet.tools.builtin.field_extractor import amounts, cldr, dates
from docfleet.tools.builtin.field_extractor.countries import countries_of
from docfleet.tools.builtin.field_extractor.currencies import find_currency

_CHOICES = {"yes": True, "no": False, "auto": None}
# Evidence is on the first pages and on the last.
_MAX_EVIDENCE = 20_000
_MONTH_FIRST = {"US", "PH"}
_CLEARLY = 2


@dataclass(frozen=True, slots=True)
class Locale:
    """How numbers and dates of this document are to be read; None leaves it to the value itself.

    ``day_first`` None leaves out a date in digits that may be two days. ``year`` is one that the document has in full.
    """

    decimal_comma: bool | None = None
    day_first: bool | None = None
    languages: tuple[str, ...] = ()
    countries: tuple[tuple[str, int], ...] = ()
    minor_digits: int = 2
    spaces_group: bool | None = None
    year: int | None = None

    @classmethod
    def of(cls, text: str, decimal_comma: str, day_first: str, languages: tuple[str, ...] = ()) -> Locale:
        """From the settings ``auto``, ``yes`` and ``no``, and from ``text`` for what is automatic."""
        if len(text) > 2 * _MAX_EVIDENCE:
            text = f"{text[:_MAX_EVIDENCE]}\n{text[-_MAX_EVIDENCE:]}"
        votes = countries_of(text, languages)
        years = dates.full_years(text)
        order = _CHOICES[day_first]
        return cls(
            _decimal_comma(text) if _CHOICES[decimal_comma] is None else _CHOICES[decimal_comma],
            _day_first(text, dict(votes)) if order is None else order,
            languages,
            tuple(votes.items()),
            cldr.minor_digits(find_currency(text, votes)),
            not amounts.groups_by_mark(text),
            years[len(years) // 2] if years else None,
        )


def _decimal_comma(text: str) -> bool | None:
    votes = amounts.decimal_votes(text)
    if votes[","] > _CLEARLY * votes["."]:
        return True
    return False if votes["."] > _CLEARLY * votes[","] else None


def _day_first(text: str, countries: dict[str, int]) -> bool | None:
    day, month = dates.order_votes(text)
    if day and month:
        return None
    if day or month:
        return day > month
    american = max((weight for country, weight in countries.items() if country in _MONTH_FIRST), default=0)
    other = max((weight for country, weight in countries.items() if country not in _MONTH_FIRST), default=0)
    if american and american == other:
        return None
    return american < other or not american
