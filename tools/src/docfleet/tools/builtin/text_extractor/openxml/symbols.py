"""Characters of symbol fonts, which stand in documents as codes of the font."""

from __future__ import annotations

_PRIVATE = 0xF000
_SYMBOL = {
    **dict(
        zip(
            "ABCDEFGHIKLMNOPQRSTUWXYZabcdefghiklmnopqrstuwxyz",
            "ΑΒΧΔΕΦΓΗΙΚΛΜΝΟΠΘΡΣΤΥΩΞΨΖαβχδεφγηικλμνοπθρστυωξψζ",
            strict=True,
        )
    ),
    "J": "ϑ", "j": "ϕ", "V": "ς", "v": "ϖ", '"': "∀", "$": "∃", "'": "∋", "*": "∗", "-": "−", "@": "≅", "^": "⊥",
    "~": "∼", "\xa0": "€", "\xa2": "′", "\xa3": "≤", "\xa5": "∞", "\xa7": "♣", "\xa8": "♦", "\xa9": "♥", "\xaa": "♠",
    "\xab": "↔", "\xac": "←", "\xad": "↑", "\xae": "→", "\xaf": "↓", "\xb0": "°", "\xb1": "±", "\xb2": "″",
    "\xb3": "≥", "\xb4": "×", "\xb5": "∝", "\xb6": "∂", "\xb7": "•", "\xb8": "÷", "\xb9": "≠", "\xba": "≡",
    "\xbb": "≈", "\xbc": "…", "\xbf": "↵", "\xc0": "ℵ", "\xc5": "⊕", "\xc6": "∅", "\xc7": "∩", "\xc8": "∪",
    "\xc9": "⊃", "\xca": "⊇", "\xcc": "⊂", "\xcd": "⊆", "\xce": "∈", "\xcf": "∉", "\xd0": "∠", "\xd1": "∇",
    "\xd2": "®", "\xd3": "©", "\xd4": "™", "\xd5": "∏", "\xd6": "√", "\xd7": "⋅", "\xd8": "¬", "\xd9": "∧",
    "\xda": "∨", "\xdb": "⇔", "\xdc": "⇐", "\xdd": "⇑", "\xde": "⇒", "\xdf": "⇓", "\xe0": "◊", "\xe2": "®",
    "\xe3": "©", "\xe4": "™", "\xe5": "∑", "\xf2": "∫",
}  # fmt: skip
_WINGDINGS = {
    "!": "✏", '"': "✂", "(": "☎", ")": "✆", "*": "✉", "+": "✉", "<": "💾", ">": "✇", "A": "✌", "J": "☺", "L": "☹",
    "Q": "✈", "l": "●", "m": "❍", "n": "■", "o": "□", "p": "❐", "q": "❑", "r": "❒", "s": "⬧", "t": "⧫", "u": "◆",
    "v": "❖", "w": "⬥", "x": "⌧", "\x9f": "•", "\xa7": "▪", "\xa8": "◻", "\xb7": "•", "\xd8": "➢", "\xdf": "←",
    "\xe0": "→", "\xe1": "↑", "\xe2": "↓", "\xe8": "➔", "\xf0": "⇨", "\xfb": "✗", "\xfc": "✓", "\xfd": "☒",
    "\xfe": "☑",
}  # fmt: skip
_WINGDINGS_2 = {"O": "✗", "P": "✓", "Q": "☒", "R": "☑", "S": "☒", "T": "☒", "\xa3": "☐", "\x97": "●", "\x98": "●"}
_WEBDINGS = {"a": "✓", "r": "✗", "c": "□", "g": "■", "n": "●", "=": "•"}
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2, "webdings": _WEBDINGS}


def symbol(code: int, font: str) -> str:
    """The character that stands at ``code`` in this font: of a symbol font its like in Unicode, "" where there is none;
    of another the character of this code."""
    table = _FONTS.get(font.lower())
    if table is None and code >= _PRIVATE and code < _PRIVATE + 0x100:
        table = _SYMBOL
    if table is None:
        return chr(code) if 0x20 <= code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
    place = chr(code & 0xFF if code >= _PRIVATE else code)
    known = table.get(place)
    if known is not None:
        return known
    return place if table is _SYMBOL and place.isascii() and place.isprintable() else ""


def unicode_text(text: str, font: str) -> str:
    """``text`` with the codes of symbol fonts in it resolved."""
    if font.lower() in _FONTS:
        return "".join(character if character.isspace() else symbol(ord(character), font) for character in text)
    if not any("\uf000" <= character <= "\uf0ff" for character in text):
        return text
    return "".join(
        symbol(ord(character), font) if "\uf000" <= character <= "\uf0ff" else character for character in text
    )
