"""From which countries a document is: what its words, identifiers and addresses say."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from docfleet.tools.builtin.field_extractor import cldr

# Names of taxes, registers and legal forms that one country has.
_OWN_WORDS = {
    "IN": r"GSTIN|CGST|SGST|IGST|Pvt\.? Ltd", "AU": r"ABN|A\.B\.N\.", "DK": r"CVR(?:-?nr)?|ApS",
    "SE": r"Momsreg\S*|Bankgiro", "NO": r"MVA|Org\.?\s?nr\.?\s\d{3}\s?\d{3}\s?\d{3}",
    "BR": r"CNPJ|CPF|Nota Fiscal|Ltda", "PL": r"NIP|sp\. z o\.\s?o\.", "MX": r"RFC|CFDI",
    "MY": r"SDN\.?\s?BHD|SST ID", "NZ": r"NZBN", "SG": r"UEN|Pte\.? Ltd", "CA": r"HST|QST|GST/HST",
    "CZ": r"DIČ", "SK": r"IČ DPH", "HU": r"Kft|Zrt|Adószám", "TR": r"VKN|Vergi Dairesi", "ZA": r"\(Pty\) Ltd",
    "GB": r"Companies House|PLC", "CH": r"MWST-Nr|CHE-\d{3}", "IE": r"Eircode", "JP": r"株式会社|消費税",
    "CN": r"有限公司|增值税",
    "AR": r"CUIT", "CL": r"RUT", "CO": r"NIT", "PE": r"RUC", "PK": r"NTN|STRN", "LK": r"Colombo",
    "IS": r"VSK|Kennitala", "FI": r"Y-tunnus", "AE": r"TRN|Dubai", "US": r"Sales Tax|LLC|Inc\.",
}  # fmt: skip
_LANGUAGE_OF_ONE = {
    "sv": "SE", "da": "DK", "nb": "NO", "is": "IS", "fi": "FI", "pl": "PL", "cs": "CZ", "hu": "HU", "tr": "TR",
    "bg": "BG", "lt": "LT", "lv": "LV", "et": "EE", "uk": "UA", "ja": "JP", "ko": "KR", "th": "TH", "he": "IL",
    "vi": "VN", "id": "ID", "ms": "MY", "hi": "IN",
}  # fmt: skip
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO"
    "|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR"
)
# "Austin, TX 78701": the city stands before the state. In "DE 80333 München" it stands behind the postcode.
_AMERICAN_ADDRESS = re.compile(
    rf"[^\W\d_]{{2}}\.?,?[ \t]+(?:{_STATES})\.?[ \t]+\d{{5}}(?:-\d{{4}})?(?![\w-])"
    rf"(?![ \t]{{1,2}}(?!USA|US\b|U\.S|United)[^\W\d_]{{2}})"
)
_DOMAIN = re.compile(r"[\w-]\.([a-z]{2})(?=[\s/,;)>]|\.?$)", re.MULTILINE)
_PREFIXED = re.compile(r"(?<![^\W_])([A-Z]{2})(?:\s?\d{8,12}(?!\d)|\d{2}(?:\s?[A-Z0-9]{4}){3,})")
_NO_COUNTRY = {"IO", "AI", "ME", "TV", "CO", "CC", "LY", "NR", "NO", "GS"}
_WORDS = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+){0,3}")
_SCRIPTS = (("ja", "[\u3041-\u30ff]"), ("ko", "[\uac00-\ud7a3]"), ("th", "[\u0e01-\u0e5b]"), ("he", "[\u05d0-\u05ea]"))


def countries_of(text: str, languages: tuple[str, ...] = ()) -> Counter[str]:
    """How much in ``text`` speaks for each country (ISO 3166); ``languages`` are those of its labels."""
    votes: Counter[str] = Counter()
    if _AMERICAN_ADDRESS.search(text):
        votes["US"] += 3
    for country, pattern in _own_patterns():
        if pattern.search(text):
            votes[country] += 2
    known = cldr.country_names()
    for match in _PREFIXED.finditer(text):
        if cldr.currencies_of(match[1]):
            votes[match[1]] += 2
    for domain in {match[1].upper() for match in _DOMAIN.finditer(text)} - _NO_COUNTRY:
        country = "GB" if domain == "UK" else domain
        if cldr.currencies_of(country):
            votes[country] += 1
    for match in _WORDS.finditer(text):
        words = match[0].casefold().split(" ")
        for count in range(len(words), 0, -1):
            found = known.get(" ".join(words[-count:])) or known.get(" ".join(words[:count]))
            if found:
                votes[found] += 1
                break
    for language in (*languages, *(code for code, script in _SCRIPTS if re.search(script, text))):
        if language in _LANGUAGE_OF_ONE:
            votes[_LANGUAGE_OF_ONE[language]] += 1
    if re.search("[\u4e00-\u9fff]", text) and not re.search(_SCRIPTS[0][1], text):
        votes["CN"] += 1
    return votes


@cache
def _own_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    bounded = ((country, rf"(?<!\w)(?:{words})(?!\w)") for country, words in _OWN_WORDS.items())
    return tuple(
        (country, re.compile(pattern if country not in ("JP", "CN") else _OWN_WORDS[country]))
        for country, pattern in bounded
    )
