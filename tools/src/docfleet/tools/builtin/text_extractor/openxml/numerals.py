"""Numbers of lists and notes in the writings that Office knows."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщэюя"
_HANGUL = "가나다라마바사아자차카타파하"
_DIGITS = "〇一二三四五六七八九"
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_LONGEST = 40  # a letter is repeated for each turn through the alphabet


def numeral(count: int, kind: str) -> str:
    """``count`` in the writing ``kind`` of Open XML (``lowerRoman``, ``upperLetter``); in decimals in a writing that is
    not known or has no sign for it."""
    if kind == "none":
        return ""
    if count < 1:
        return str(count)
    write = _WRITINGS.get(kind)
    return (write(count) if write else "") or str(count)


def _roman(count: int) -> str:
    if count > 3999:
        return ""
    text = ""
    for value, letters in _ROMAN:
        text += letters * (count // value)
        count %= value
    return text


def _letters(alphabet: str, count: int) -> str:
    turns, place = divmod(count - 1, len(alphabet))
    return alphabet[place] * (turns + 1) if turns < _LONGEST else ""


def _latin(count: int) -> str:
    return _letters("abcdefghijklmnopqrstuvwxyz", count)


def _ordinal(count: int) -> str:
    ending = "th" if count % 100 in (11, 12, 13) else _ORDINALS.get(count % 10, "th")
    return f"{count}{ending}"


def _circled(count: int) -> str:
    return chr(0x2460 + count - 1) if count <= 20 else ""


def _chinese(count: int) -> str:
    if count > 99:
        return ""
    tens, ones = divmod(count, 10)
    if tens == 0:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


_WRITINGS: dict[str, Callable[[int], str]] = {
    "upperRoman": lambda count: _roman(count).upper(),
    "lowerRoman": _roman,
    "upperLetter": lambda count: _latin(count).upper(),
    "lowerLetter": _latin,
    "ordinal": _ordinal,
    "decimalZero": lambda count: f"{count:02}",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "russianLower": lambda count: _letters(_RUSSIAN, count),
    "russianUpper": lambda count: _letters(_RUSSIAN, count).upper(),
    "ganada": lambda count: _letters(_HANGUL, count),
    "chineseCounting": _chinese,
    "chineseCountingThousand": _chinese,
    "japaneseCounting": _chinese,
    "taiwaneseCounting": _chinese,
    "taiwaneseCountingThousand": _chinese,
    "ideographDigital": lambda count: "".join(_DIGITS[int(digit)] for digit in str(count)),
    "decimalFullWidth": lambda count: "".join(chr(0xFF10 + int(digit)) for digit in str(count)),
}
