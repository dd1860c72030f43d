"""Rich Text Format: the text that its pages show."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from docfleet.tools.builtin.text_extractor.document import Document, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.markup import html_text
from docfleet.tools.sdk.text import codec_of_page, encoding_of

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)", re.DOTALL
)
# Code pages of fonts by the number of their character set; 0 and 1 are the one of the document.
_OF_CHARSET = {
    77: "mac_roman", 78: "cp932", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5hkscs",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 179: "cp1256", 180: "cp1256",
    181: "cp1255", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_OF_DOCUMENT = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_CHARACTERS = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "column": "\n", "row": "\n", "tab": "\t", "cell": "\t",
    "nestcell": " ", "nestrow": " ", "emdash": "\u2014", "endash": "\u2013", "lquote": "\u2018", "rquote": "\u2019",
    "ldblquote": "\u201c", "rdblquote": "\u201d", "bullet": "\u2022", "emspace": " ", "enspace": " ", "qmspace": " ",
    "zwj": "\u200d", "zwnj": "\u200c",
}  # fmt: skip
_SYMBOLS = {"~": "\xa0", "_": "-", "\\": "\\", "{": "{", "}": "}", "\n": "\n", "\r": "\n", "\t": "\t"}
# Groups with something else than text of the pages.
_SKIPPED = {
    "atnauthor", "atndate", "atnicn", "atnid", "atnparent", "atnref", "atntime", "atrfend", "atrfstart", "bkmkend",
    "bkmkstart", "blipuid", "colortbl", "comment", "datafield", "datastore", "falt", "ffname", "fldinst",
    "filetbl", "formfield", "ftncn", "ftnsep", "ftnsepc", "aftncn", "aftnsep", "aftnsepc", "generator", "info",
    "latentstyles", "listoverridetable", "listtable", "mmathPr", "nonshppict", "objalias", "objclass", "objdata",
    "objname", "panose", "passwordhash", "pgptbl", "pict", "private", "protusertbl", "revtbl", "rsidtbl", "rxe",
    "shprslt", "sn", "sp", "stylesheet", "sv", "tc", "tcn", "template", "themedata", "upr", "userprops", "xe",
    "xmlnstbl",
}  # fmt: skip
# Groups that readers may skip, and that hold text.
_KEPT = {"annotation", "do", "footnote", "htmltag", "nesttableprops", "shpinst", "shptxt", "ud"}
_FRAMES = {
    kind + page: kind for kind in ("header", "footer") for page in ("", "l", "r", "f")
}  # left, right and first pages
_ASIDES = {"footnote", "annotation", "shptxt", "dptxbxtext"}
# Words of formatting, which do not begin a group of another kind.
_FORMATTING = {"cs", "ds", "ts", "s", "f", "fs", "cf", "cb", "lang", "b", "i", "ul", "plain", "pard"}
_PRIVATE_BULLET = "\uf0b7"


def read_rtf(path: Path, _reading: ReadOptions) -> Document:
    """Headers, the text with rows of tables on one line each, notes and boxes after their paragraph, footers."""
    with reading_of("the RTF file"):
        return Document.of_texts([rtf_text(path.read_bytes())])


def rtf_text(raw: bytes) -> str:
    """The visible text; that of HTML, where the RTF was made of HTML."""
    reader = _Reader(raw)
    reader.read()
    return reader.text()


@dataclass(slots=True)
class _Group:
    """What holds until a group ends."""

    sink: list[str]
    codec: str
    fallback: int = 1
    """How many characters for old readers follow one in Unicode."""
    is_skipped: bool = False
    is_hidden: bool = False
    is_deleted: bool = False
    is_in_table: bool = False
    is_for_rtf_only: bool = False
    is_html_tag: bool = False
    is_font_table: bool = False
    font: int = 0
    ends: str = ""
    """The kind of text that ends with the group: a frame, an aside."""


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._literals_are_utf8 = not raw.isascii() and encoding_of(raw) == "utf-8"
        self._body: list[str] = []
        self._frames: dict[str, list[str]] = {"header": [], "footer": []}
        self._asides: list[str] = []
        self._group = _Group(self._body, "cp1252")
        self._outer: list[_Group] = []
        self._default = "cp1252"
        self._fonts: dict[int, str] = {}
        self._bytes = bytearray()
        self._to_skip = 0
        self._is_first = False
        self._is_starred = False
        self._is_html = False

    def text(self) -> str:
        self._flush()
        body = _joined(self._body)
        if self._is_html:
            return html_text(body)[1]
        if self._asides:
            body = "\n".join([body, *self._asides])
        frames = {kind: list(dict.fromkeys(lines)) for kind, lines in self._frames.items()}
        lines = [*frames["header"], *(line.rstrip() for line in body.split("\n")), *frames["footer"]]
        return "\n".join(lines).strip("\n")

    def read(self) -> None:
        at = 0
        while found := _TOKEN.search(self._raw, at):
            at = found.end()
            word, number, hexadecimal, symbol, brace, literal = found.groups()
            if word:
                at += self._word(word.decode("ascii"), None if number is None else int(number))
            elif hexadecimal:
                self._write_bytes(bytes.fromhex(hexadecimal.decode("ascii")))
            elif symbol:
                self._symbol(symbol.decode("latin-1"))
            elif brace == b"{":
                self._flush()
                self._to_skip = 0
                self._outer.append(self._group)
                self._group = replace(self._group, ends="")
                self._is_first, self._is_starred = True, False
                continue
            elif brace:
                self._end_group()
            elif literal:
                self._literal(literal)
            else:
                continue  # line ends between words
            if symbol != b"*":
                self._is_first = self._is_starred = False

    def _end_group(self) -> None:
        self._flush()
        self._to_skip = 0
        ended = self._group
        if self._outer:
            self._group = self._outer.pop()
        if not ended.ends:
            return
        text = _joined(ended.sink)
        lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
        self._frames.get(ended.ends, self._asides).extend(lines)

    def _symbol(self, symbol: str) -> None:
        self._flush()
        if symbol == "*":
            self._is_starred = self._is_first
        elif self._to_skip:
            self._to_skip -= 1
        elif symbol in _SYMBOLS:
            self._write(self._line_end() if _SYMBOLS[symbol] == "\n" else _SYMBOLS[symbol])

    def _word(self, word: str, number: int | None) -> int:
        """Carry out a control word; how many bytes of binary data follow it."""
        group = self._group
        if word == "bin":
            return max(number or 0, 0)
        if self._to_skip and word != "u":
            self._to_skip -= 1
            return 0
        self._flush()
        if self._is_first and word not in _FORMATTING:
            self._begin(word)
        if word == "u" and number is not None:
            if number < 0:
                number += 65536
            self._write(chr(number) if 0 <= number < 0x110000 else "\ufffd")
            self._to_skip = group.fallback
        elif word == "uc":
            group.fallback = min(max(number or 0, 0), 16)
        elif word in _CHARACTERS:
            self._write(self._line_end() if word == "par" else _CHARACTERS[word])
            is_end = word in ("par", "row", "sect") and group.sink is self._body
            if is_end and not group.is_in_table and not group.is_skipped:
                self._write_asides()
        else:
            self._set(word, number)
        return 0

    def _begin(self, word: str) -> None:
        """The group turns out to be one of a kind."""
        group = self._group
        if word in _FRAMES or word in _ASIDES:
            group.sink = []
            group.ends = _FRAMES.get(word, word)
        elif word == "fonttbl":
            group.is_font_table = group.is_skipped = True
        elif word == "htmltag":
            group.is_html_tag = True
        elif word == "ud":  # the same text in Unicode, within a group that only old readers show
            group.is_skipped = len(self._outer) > 1 and self._outer[-2].is_skipped
        elif word in _SKIPPED or (self._is_starred and word not in _KEPT):
            group.is_skipped = True

    def _set(self, word: str, number: int | None) -> None:
        group = self._group
        is_on = number != 0
        if word == "f" and number is not None:
            group.font = number
            if not group.is_font_table:
                group.codec = self._fonts.get(number, self._default)
        elif word in ("fcharset", "cpg") and group.is_font_table and number is not None:
            codec = _OF_CHARSET.get(number) if word == "fcharset" else codec_of_page(number)
            if codec is not None:
                self._fonts[group.font] = codec
        elif word in _OF_DOCUMENT or word == "ansicpg":
            codec = _OF_DOCUMENT.get(word) or codec_of_page(number or 0)
            self._default = group.codec = codec or "cp1252"
        elif word == "v":
            group.is_hidden = is_on
        elif word == "deleted":
            group.is_deleted = is_on
        elif word == "htmlrtf":
            group.is_for_rtf_only = is_on
        elif word == "plain":
            group.is_hidden, group.codec = False, self._default
        elif word in ("intbl", "pard"):
            group.is_in_table = word == "intbl"
        elif word == "fromhtml":
            self._is_html = is_on

    def _line_end(self) -> str:
        return " " if self._group.is_in_table and not self._is_html else "\n"

    def _literal(self, literal: bytes) -> None:
        skipped = min(self._to_skip, len(literal))
        self._to_skip -= skipped
        literal = literal[skipped:]
        if self._literals_are_utf8 and not literal.isascii():
            self._flush()
            self._write(literal.decode("utf-8", "replace"))
        else:
            self._bytes += literal

    def _write_bytes(self, raw: bytes) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes += raw

    def _flush(self) -> None:
        """Decode what was collected: a character of several bytes may be written in any mixture of ways."""
        if self._bytes:
            self._write(self._bytes.decode(self._group.codec, "replace"))
            self._bytes.clear()

    def _write(self, text: str) -> None:
        group = self._group
        is_shown = not (group.is_skipped or group.is_hidden or group.is_deleted)
        if self._is_html:
            is_shown = group.is_html_tag or not (group.is_skipped or group.is_for_rtf_only)
        elif group.is_html_tag:
            is_shown = False
        if is_shown:
            group.sink.append(text)

    def _write_asides(self) -> None:
        self._body.extend(f"{line}\n" for line in self._asides)
        self._asides.clear()


def _joined(pieces: list[str]) -> str:
    """The pieces as one text, with pairs of surrogates as the characters that they stand for."""
    text = "".join(pieces).replace(_PRIVATE_BULLET, "\u2022")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
