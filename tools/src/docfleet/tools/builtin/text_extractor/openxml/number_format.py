"""A number as a workbook shows it: number formats of Office.

A format whose look depends on the reader's machine (the short date, above all) gives an ISO date, which everyone reads
in the same way. Formats of currencies that depend on it give the number without a sign.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

from docfleet.tools.builtin.text_extractor.openxml import date_format
from docfleet.tools.builtin.text_extractor.openxml.date_format import Token

GENERAL = "General"
_LOCAL = "[$-F800]"
BUILT_IN = {
    0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0;-#,##0", 6: "#,##0;-#,##0",
    7: "#,##0.00;-#,##0.00", 8: "#,##0.00;-#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: _LOCAL, 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: _LOCAL, 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 41: "#,##0;(#,##0)", 42: "#,##0;(#,##0)", 43: "#,##0.00;(#,##0.00)",
    44: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
} | dict.fromkeys((*range(27, 37), *range(50, 59)), _LOCAL)  # fmt: skip
"""The formats that workbooks name by a number alone."""

_TOKEN = re.compile(
    r"""
    "(?P<literal>[^"]*)"? | \\(?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.) | \[(?P<bracket>[^\]]*)\]
    | (?P<general>General) | (?P<half>AM/PM|A/P) | (?P<exponent>E[+-]) | (?P<date>y+|m+|d+|h+|s+|e+|g+|b+)
    | (?P<digit>[0#?]) | (?P<mark>[.,%/@;]) | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"([<>]=?|=|<>)\s*(-?[\d.]+)\Z")
_OPERATORS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip
_ELAPSED = re.compile(r"(h+|m+|s+)\Z", re.IGNORECASE)
_MAX_CODE = 1000
_PLAIN_BELOW = Decimal("1e15")
_PLAIN_ABOVE = Decimal("1e-9")


@dataclass(slots=True)
class _Section:
    """One of the formats between semicolons."""

    tokens: list[Token]
    condition: tuple[str, float] | None = None
    language: int = 0

    @property
    def kinds(self) -> set[str]:
        return {token.kind for token in self.tokens}

    @property
    def is_text(self) -> bool:
        return Token("mark", "@") in self.tokens


def shown(value: float, code: str = GENERAL, *, is_1904: bool = False) -> str:
    """The text of a cell with this number and format; the plain number where the format is not understood."""
    try:
        return _shown(value, code, is_1904)
    except (ValueError, ArithmeticError, LookupError):
        return general(value)


def general(value: float) -> str:
    """The number with all the digits that a workbook keeps, which are fifteen."""
    number = _decimal(value)
    if number == 0:
        return "0"
    if _PLAIN_ABOVE <= abs(number) < _PLAIN_BELOW:
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{number.normalize():E}"


def _shown(value: float, code: str, is_1904: bool) -> str:
    sections = _sections(code[:_MAX_CODE])
    section, is_without_sign = _chosen(sections, value)
    if section is None or "general" in section.kinds or section.is_text:
        text = general(abs(value) if is_without_sign else value)
        return text if section is None else "".join(_around(section, text)).strip()
    if section.language == date_format.SYSTEM_TIME or section.kinds & {"date", "elapsed"}:
        return date_format.shown(value, section.tokens, section.language, is_1904) or general(value)
    if section.language == date_format.SYSTEM_DATE:
        return date_format.iso(value, is_1904) or general(value)
    if not section.tokens:
        return ""
    text = _number(_decimal(abs(value)), section.tokens)
    is_negative = value < 0 and any(digit in "123456789" for digit in text)
    if is_negative and not (is_without_sign and any(sign in text for sign in "-\N{MINUS SIGN}(")):
        text = f"-{text.strip()}"
    return text.strip()


def _around(section: _Section, text: str) -> list[str]:
    return [text if token.kind == "general" or token.text == "@" else _literal(token) for token in section.tokens]


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[_Section]:
    sections = [_Section([])]
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup or "other", match[match.lastgroup or 0]
        section = sections[-1]
        if kind == "mark" and text == ";":
            sections.append(_Section([]))
        elif kind == "bracket":
            _read_bracket(section, text)
        elif kind == "escaped":
            section.tokens.append(Token("literal", text))
        elif kind == "space":
            section.tokens.append(Token("literal", " "))
        elif kind != "fill":
            section.tokens.append(Token(kind, text))
    return sections


def _read_bracket(section: _Section, text: str) -> None:
    if condition := _CONDITION.match(text):
        section.condition = (condition[1], float(condition[2]))
    elif text.startswith("$"):
        sign, _, language = text[1:].partition("-")
        section.language = int(language.split(",")[0] or "0", 16)
        if sign:
            section.tokens.append(Token("literal", sign))
    elif _ELAPSED.match(text):
        section.tokens.append(Token("elapsed", text.lower()))


def _chosen(sections: list[_Section], value: float) -> tuple[_Section | None, bool]:
    """The section for this value, and whether it has a sign of its own for negative numbers."""
    numeric = [section for section in sections[:3] if not section.is_text] or sections[:1]
    if any(section.condition for section in numeric):
        for section in numeric:
            if section.condition is None:
                return section, False
            sign, bound = section.condition
            if _OPERATORS[sign](value, bound):
                return section, sign in ("<", "<=") and bound <= 0
        return None, False
    if value < 0 and len(numeric) > 1:
        return numeric[1], True
    return numeric[2] if value == 0 and len(numeric) > 2 else numeric[0], False


def _decimal(value: float) -> Decimal:
    return Decimal(f"{value:.15g}")


def _literal(token: Token) -> str:
    return token.text if token.kind in ("literal", "other", "space") or token.text in "%/" else ""


def _number(value: Decimal, tokens: list[Token]) -> str:
    if any(token == Token("mark", "/") for token in tokens) and "digit" in {token.kind for token in tokens}:
        return _fraction(value, tokens)
    value = value.scaleb(2 * tokens.count(Token("mark", "%")))
    exponent_at = next((at for at, token in enumerate(tokens) if token.kind == "exponent"), None)
    if exponent_at is not None:
        return _scientific(value, tokens[:exponent_at], tokens[exponent_at:])
    return _fixed(value, tokens)


def _fixed(value: Decimal, tokens: list[Token]) -> str:
    point = next((at for at, token in enumerate(tokens) if token == Token("mark", ".")), len(tokens))
    before, after = tokens[:point], tokens[point + 1 :]
    last = max((at for at, token in enumerate(before) if token.kind == "digit"), default=-1)
    end = max((at for at, token in enumerate(after) if token.kind == "digit"), default=-1)
    thousands = [*before[last + 1 :], *after[end + 1 :]].count(Token("mark", ","))
    value = value.scaleb(-3 * thousands)
    is_grouped = any(token == Token("mark", ",") for token in before[:last])
    places = sum(token.kind == "digit" for token in after)
    # Digits of a Decimal are limited by its context; those of a string are not.
    whole, _, decimals = f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}".partition(".")
    left = _whole(whole.lstrip("0"), before, is_grouped)
    right = _decimals(decimals, after)
    return left + ("." if right[:1].isdigit() else "") + right


def _whole(digits: str, tokens: list[Token], is_grouped: bool) -> str:
    """Digits into their places from the right; the first place takes all that are left."""
    places = sum(token.kind == "digit" for token in tokens)
    pieces: list[str] = []
    done = 0
    for token in reversed(tokens):
        if token.kind != "digit":
            pieces.append(_literal(token))
            continue
        places -= 1
        taken = digits if places == 0 else digits[-1:]
        digits = digits[: len(digits) - len(taken)]
        for digit in reversed(taken or ("0" if token.text == "0" else "")):
            pieces.append("," if is_grouped and done and done % 3 == 0 else "")
            pieces.append(digit)
            done += 1
    if digits:  # a format without a place before the point
        pieces.insert(0, digits)
    return "".join(reversed(pieces))


def _decimals(digits: str, tokens: list[Token]) -> str:
    kept = len(digits)
    for token in reversed([token for token in tokens if token.kind == "digit"]):
        if token.text == "0" or digits[kept - 1] != "0":
            break
        kept -= 1
    left = iter(digits[:kept])
    return "".join(next(left, "") if token.kind == "digit" else _literal(token) for token in tokens)


def _scientific(value: Decimal, mantissa: list[Token], exponent: list[Token]) -> str:
    point = next((at for at, token in enumerate(mantissa) if token == Token("mark", ".")), len(mantissa))
    step = max(sum(token.kind == "digit" for token in mantissa[:point]), 1)
    power = value.adjusted() if value else 0
    power -= power % step
    text = _fixed(value.scaleb(-power), mantissa)
    places = sum(token.kind == "digit" for token in exponent)
    sign = "-" if power < 0 else ("+" if exponent[0].text.endswith("+") else "")
    return f"{text}E{sign}{abs(power):0{max(places, 1)}}"


def _fraction(value: Decimal, tokens: list[Token]) -> str:
    at = tokens.index(Token("mark", "/"))
    below = "".join(token.text for token in tokens[at + 1 :] if token.kind in ("digit", "other")).strip()
    whole, rest = divmod(value, 1)
    fixed = int(below) if below.isdigit() and below.strip("0") else 0
    if fixed:
        top, bottom = int((rest * fixed).to_integral_value(ROUND_HALF_UP)), fixed
    else:
        part = Fraction(rest).limit_denominator(10 ** min(len(below), 7) - 1 or 9)
        top, bottom = part.numerator, part.denominator
    if top == bottom:
        whole, top = whole + 1, 0
    if not top:
        return str(int(whole))
    return f"{int(whole)} {top}/{bottom}" if whole else f"{top}/{bottom}"
