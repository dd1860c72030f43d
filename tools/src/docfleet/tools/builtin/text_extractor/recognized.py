"""What an OCR engine read in a picture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from docfleet.tools.sdk.words import Word


@dataclass(slots=True)
class Recognized:
    """The text of a picture, and each word with its box in pixels of that picture and a confidence from 0 to 1."""

    text: str
    words: list[Word] = field(default_factory=list)
    confidence: float = 0.0
    """The mean over all characters, also of what was left out of the text; 0 for a picture without any."""
    sideways: bool = False
    """Whether most lines run upwards or downwards."""

    def scaled(self, across: float, down: float) -> list[Word]:
        """The words in another unit: ``across`` and ``down`` are its size of a pixel."""
        return [
            replace(
                word,
                left=word.left * across,
                top=word.top * down,
                right=word.right * across,
                bottom=word.bottom * down,
            )
            for word in self.words
        ]

    @property
    def weight(self) -> float:
        """How much was read: the characters, each counted by its confidence."""
        return sum((word.confidence or 0.0) * len(word.text) for word in self.words)


def mean_confidence(words: list[Word]) -> float:
    """The mean over all characters; 0 for no words."""
    total = sum(len(word.text) for word in words)
    return sum((word.confidence or 0.0) * len(word.text) for word in words) / max(total, 1)


def share(value: float) -> float:
    """A confidence between 0 and 1."""
    return round(min(max(value, 0.0), 1.0), 4)
