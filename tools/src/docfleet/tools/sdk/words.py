"""Words with their places on the pages of a document."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Word:
    """A run of text and its box; ``top`` grows downwards, all in one unit."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float | None = None
    """How sure OCR is, from 0 to 1; None for text of the document itself."""

    @property
    def height(self) -> float:
        """Height of the box."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Vertical centre of the box."""
        return (self.top + self.bottom) / 2


@dataclass(slots=True)
class Page:
    """The text of a page (sheet, slide, chapter), and where its words stand, if that is known.

    The boxes are in points of the page as it is shown (rotation resolved), from its upper left corner; ``width`` and
    ``height`` are 0 for a page without a shape.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    by_ocr: bool = False
