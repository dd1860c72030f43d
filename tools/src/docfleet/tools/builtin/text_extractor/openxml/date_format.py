"""Dates and times as a workbook shows them, of the days since 1900 or 1904 that it keeps."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM_DATE = 0xF800
SYSTEM_TIME = 0xF400
_ENGLISH = 0x09
_LANGUAGE = 0xFF
_LAST_DAY = 2_958_466
_NOT_A_DAY = 60  # 29 February 1900, which there never was
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a number format."""

    kind: str
    text: str


def moment(value: float, *, is_1904: bool) -> datetime.datetime | None:
    """The time to the millisecond; None for a number that is no date."""
    if not 0 <= value < _LAST_DAY or (not is_1904 and int(value) == _NOT_A_DAY):
        return None
    before = datetime.datetime(1899, 12, 31 if value < _NOT_A_DAY else 30)
    start = datetime.datetime(1904, 1, 1) if is_1904 else before
    try:
        return start + datetime.timedelta(milliseconds=round(value * 86_400_000))
    except OverflowError:
        return None


def iso(value: float, is_1904: bool) -> str:
    """``2024-03-05``, with the time if there is one, or the time alone; "" for a number that is no date."""
    when = moment(value, is_1904=is_1904)
    if when is None or value == 0:
        return ""
    if when.microsecond:
        when += datetime.timedelta(microseconds=500_000)
        when = when.replace(microsecond=0)
    time = when.strftime("%H:%M:%S" if when.second else "%H:%M")
    if value < 1 and not is_1904:
        return time
    date = when.date().isoformat()
    return date if when.time() == datetime.time() else f"{date} {time}"


def shown(value: float, tokens: Sequence[Token], language: int, is_1904: bool) -> str:
    """The date in this format; in ISO where its look depends on the machine, or names months in another language than
    English; "" for a number that is no date."""
    letters = [token.text[0].lower() for token in tokens if token.kind == "date"]
    is_named = any(token.kind == "date" and token.text[0] in "mMdD" and len(token.text) > 2 for token in tokens)
    is_foreign = language & _LANGUAGE not in (0, _ENGLISH)
    if language in (SYSTEM_DATE, SYSTEM_TIME) or set(letters) & set("egb") or (is_named and is_foreign):
        return iso(value, is_1904)
    if any(token.kind == "elapsed" for token in tokens):
        return _elapsed(value, tokens)
    has_date = any(kind in "yd" for kind in letters) or set(letters) == {"m"}
    when = moment(value, is_1904=is_1904)
    if when is None or (value < 1 and has_date and not is_1904):
        return ""
    seconds = [at for at, token in enumerate(tokens) if token.kind == "date" and token.text[0] in "sS"]
    has_fraction = bool(seconds) and _fraction_places(tokens, seconds[-1]) > 0
    if when.microsecond and not has_fraction:
        when = when.replace(microsecond=0) + datetime.timedelta(seconds=round(when.microsecond / 1e6))
    return "".join(_pieces(when, tokens)).strip()


def _pieces(when: datetime.datetime, tokens: Sequence[Token]) -> list[str]:
    is_halved = any(token.kind == "half" for token in tokens)
    hour = (when.hour % 12 or 12) if is_halved else when.hour
    pieces: list[str] = []
    skipped = -1
    for at, token in enumerate(tokens):
        if at <= skipped:
            continue
        if token.kind == "half":
            pieces.append(("AM" if when.hour < 12 else "PM")[: 1 if len(token.text) == 3 else 2])
        elif token.kind == "date":
            pieces.append(_field(when, token.text.lower(), hour, is_minute=_is_minute(tokens, at)))
        elif places := _fraction_places(tokens, at - 1):
            skipped = at + places
            pieces.append(f".{when.microsecond:06}"[: places + 1])
        else:
            pieces.append(token.text if token.kind in ("literal", "other", "mark") else "")
    return pieces


def _field(when: datetime.datetime, letters: str, hour: int, *, is_minute: bool) -> str:
    kind, size = letters[0], len(letters)
    if kind == "y":
        return f"{when.year % 100:02}" if size <= 2 else f"{when.year:04}"
    if kind == "m" and not is_minute and size > 2:
        return _MONTHS[when.month - 1][: 3 if size == 3 else None]
    if kind == "d" and size > 2:
        return _DAYS[when.weekday()][: 3 if size == 3 else None]
    count = {"m": when.minute if is_minute else when.month, "d": when.day, "h": hour, "s": when.second}[kind]
    return f"{count:02}" if size > 1 else str(count)


def _is_minute(tokens: Sequence[Token], at: int) -> bool:
    """Months and minutes share a letter: it is the minute after an hour, and before a second."""
    if tokens[at].text[0] not in "mM" or len(tokens[at].text) > 2:
        return False
    before = next((token.text[0] for token in reversed(tokens[:at]) if token.kind in ("date", "elapsed")), "")
    after = next((token.text[0] for token in tokens[at + 1 :] if token.kind in ("date", "elapsed")), "")
    return before in ("h", "H") or after in ("s", "S")


def _fraction_places(tokens: Sequence[Token], second: int) -> int:
    """How many decimals follow the seconds at this place."""
    if second < 0 or tokens[second].text[:1] not in ("s", "S") or tokens[second].kind not in ("date", "elapsed"):
        return 0
    rest = tokens[second + 1 :]
    if not rest or rest[0] != Token("mark", "."):
        return 0
    places = 0
    for token in rest[1:]:
        if token != Token("digit", "0"):
            break
        places += 1
    return min(places, 6)


def _elapsed(value: float, tokens: Sequence[Token]) -> str:
    total = round(abs(value) * 86_400_000)
    has_fraction = any(_fraction_places(tokens, at) for at in range(len(tokens)))
    seconds, milliseconds = divmod(total if has_fraction else round(total / 1000) * 1000, 1000)
    pieces: list[str] = []
    left = seconds
    skipped = -1
    for at, token in enumerate(tokens):
        if at <= skipped:
            continue
        if token.kind in ("elapsed", "date"):
            unit = {"h": 3600, "m": 60, "s": 1}.get(token.text[0].lower(), 86_400)
            count = left // unit
            left -= count * unit
            pieces.append(f"{count:0{len(token.text)}}")
        elif places := _fraction_places(tokens, at - 1):
            skipped = at + places
            pieces.append(f".{milliseconds:03}"[: places + 1])
        else:
            pieces.append(token.text if token.kind in ("literal", "other", "mark") else "")
    text = "".join(pieces).strip()
    return f"-{text}" if value < 0 else text
