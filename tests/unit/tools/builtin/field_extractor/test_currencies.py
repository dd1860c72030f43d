"""Currencies by code and sign."""

from __future__ import annotations

import pytest

from docfleet.tools.builtin.field_extractor.currencies import find_currency


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("€ 3", "EUR"), ("$ 3", "USD"), ("£3", "GBP"), ("RM 3.00", "MYR"), ("3", None), ("R$ 500,00", "BRL"),
        ("S$ 5", "SGD"), ("HK$5", "HKD"), ("NZ$5", "NZD"), ("CA$5", "CAD"), ("AU$ 5", "AUD"), ("MX$ 5", "MXN"),
        ("500,00 Kč", "CZK"), ("500 Ft", "HUF"), ("500 zł", "PLN"), ("500,00 TL", "TRY"), ("500 грн", "UAH"),
        ("\u20aa5", "ILS"), ("\u20a95", "KRW"), ("\u20a65", "NGN"), ("\u0e3f5", "THB"), ("5 \u20ab", "VND"),
        ("AED 500.00", "AED"), ("500,00 kr SEK", "SEK"), ("R 500.00 ZAR", "ZAR"), ("\uffe5500 CNY", "CNY"),
        # Signs of several currencies, and words that are codes, too.
        ("kr 500", None), ("\u00a5 500", None), ("C$ 500", None), ("Rs. 500", None),
        ("ALL goods: 10 TOP products", None),
        ("Currency: GBP\nVAT in EUR 3.00\nEUR 4.00", "GBP"),
    ],
)  # fmt: skip
def test_currencies(text: str, code: str | None) -> None:
    assert find_currency(text) == code


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [("SE", "kr 5", "SEK"), ("DK", "5 kr.", "DKK"), ("JP", "\u00a55", "JPY"), ("CN", "\u00a55", "CNY"),
     ("AU", "$5", "AUD"),
     ("IN", "Rs. 5", "INR"), ("PK", "Rs 5", "PKR"), ("ZA", "R 5", "ZAR")],
)  # fmt: skip
def test_the_country_says_what_a_sign_means(country: str, text: str, code: str) -> None:
    assert find_currency(text, {country: 2, "US": 1}) == code
