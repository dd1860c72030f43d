"""What the styles of a document say about its text: which is hidden, which is numbered."""

from __future__ import annotations

from dataclasses import dataclass

from docfleet.tools.builtin.text_extractor.openxml.package import Element, W, is_on

_VALUE = W + "val"
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class _Style:
    base: str
    is_hidden: bool | None
    list_name: str | None
    level: str | None


class Styles:
    """The styles by their ids; what a style leaves open, the one it is based on says."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, _Style] = {}
        self.default = ""
        for style in () if root is None else root.iterchildren(W + "style"):
            name = style.get(W + "styleId", "")
            if style.get(W + "type") == "paragraph" and style.get(W + "default", "0") not in ("0", "false"):
                self.default = name
            self._styles[name] = _Style(
                base=_value(style, "basedOn") or "",
                is_hidden=hides(style.find(W + "rPr")),
                list_name=_value(style, "pPr", "numPr", "numId"),
                level=_value(style, "pPr", "numPr", "ilvl"),
            )

    def is_hidden(self, name: str) -> bool:
        """Whether text in this style is hidden."""
        return next((style.is_hidden for style in self._chain(name) if style.is_hidden is not None), False)

    def numbering(self, name: str) -> tuple[str | None, str | None, str]:
        """The list (``numId``) and the level of paragraphs in this style, and the style that says so."""
        for _ in range(_MAX_DEPTH):
            style = self._styles.get(name)
            if style is None:
                break
            if style.list_name is not None:
                return style.list_name, style.level, name
            name = style.base
        return None, None, ""

    def _chain(self, name: str) -> list[_Style]:
        chain: list[_Style] = []
        while name in self._styles and len(chain) < _MAX_DEPTH:
            chain.append(self._styles[name])
            name = chain[-1].base
        return chain


def hides(properties: Element | None) -> bool | None:
    """Whether these properties of a run hide it; None where they leave it open."""
    vanish = None if properties is None else properties.find(W + "vanish")
    return None if vanish is None else is_on(vanish, _VALUE)


def _value(element: Element, *path: str) -> str | None:
    child = element.find("/".join(W + name for name in path))
    return None if child is None else child.get(_VALUE)
