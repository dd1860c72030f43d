"""A measured figure, its target, and the figure of the original."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """``key`` is the name in results.json. ``at_most`` or ``at_least`` is the target, where there is one.

    ``original`` is the figure of the original system, as text, where it is known; ``note`` says what was compared.
    """

    key: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    original: str = ""
    note: str = ""

    @property
    def target(self) -> str:
        """The target as a person writes it."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; ``None`` without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return self.value >= self.at_least if self.at_least is not None else None


@dataclass
class Report:
    """The figures of one family, further lines below the table, and the reason if nothing was measured."""

    figures: list[Figure] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    skipped: str = ""
