"""Evidence: where in a document the values of a result stand, and how sure each one is."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

EVIDENCE_BYTES = 8 * 1024**2
"""The most bytes of a file's evidence that are kept."""


class MatchKind(StrEnum):
    """How a value and the text of the document are alike, from the best down."""

    EXACT = "exact"
    """The same characters, but for white space."""
    NORMALISED = "normalised"
    """The same value in another notation: numbers, dates, letter case, accents, hyphens, digits of a script."""
    FUZZY = "fuzzy"
    """Nearly the same text."""
    NONE = "none"


class Box(NamedTuple):
    """A rectangle in points of the page as it is shown, from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


class Evidence(msgspec.Struct, kw_only=True):
    """Where a value stands. ``page`` counts from 1; without a match it is 0.

    ``boxes`` has one box a line, none on a page without a shape. ``place`` is a position of another kind: a cell, a
    line. ``quote`` is the text that stands there. ``places`` counts the places that fit as well; 1 is unique.
    ``similarity`` is 1 unless the match is fuzzy. ``ocr_confidence`` is that of the least certain word, null for text
    of the document itself.
    """

    match: MatchKind = MatchKind.NONE
    page: int = 0
    boxes: list[Box] = []
    place: str = ""
    quote: str = ""
    places: int = 0
    similarity: float = 1.0
    ocr_confidence: float | None = None


class Check(msgspec.Struct, kw_only=True):
    """A check of a value against other values of the same document, or against its own check digits."""

    check: str
    ok: bool
    detail: str = ""


class FieldEvidence(Evidence, kw_only=True):
    """The evidence of a field, the checks it takes part in, and how probable it is that the field is right (0 to 1)."""

    confidence: float = 0.0
    checks: list[Check] = []


class PageShape(msgspec.Struct, kw_only=True):
    """A page that evidence refers to: ``width`` and ``height`` in points, 0 without a shape; ``name`` of a sheet."""

    number: int
    width: float = 0.0
    height: float = 0.0
    name: str = ""


class DocumentEvidence(msgspec.Struct, kw_only=True):
    """The evidence for a result: its fields by JSON Pointer (RFC 6901), and the pages that they refer to."""

    version: int = 1
    fields: dict[str, FieldEvidence] = {}
    pages: list[PageShape] = []
    checks: list[Check] = []
    """Those of the result as a whole."""
    omitted: int = 0
    """Fields beyond the bounds of the evidence: they have none."""


def read_evidence(raw: bytes) -> DocumentEvidence:
    """Decode. Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(raw, type=DocumentEvidence)
