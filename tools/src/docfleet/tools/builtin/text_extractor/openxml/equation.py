"""Equations of Office as one line of text."""

from __future__ import annotations

from docfleet.tools.builtin.text_extractor.openxml.package import Element, M, text_of

_PROPERTIES = "Pr"


def equation_text(node: Element) -> str:
    """``a/b``, ``x^2``, ``√(x)``: symbols in reading order, with brackets where the layout stood for them."""
    pieces: list[str] = []
    for child in node.iterchildren("{*}*"):
        name = child.tag.rpartition("}")[2]
        write = _WRITERS.get(name) if child.tag.startswith(M) else None
        if write is not None:
            pieces.append(write(child))
        elif name == "t":
            pieces.append(text_of(child))
        elif not name.endswith(_PROPERTIES) and name not in ("del", "moveFrom"):
            pieces.append(equation_text(child))
    return "".join(pieces)


def _part(node: Element, name: str) -> str:
    child = node.find(M + name)
    return "" if child is None else equation_text(child)


def _bracketed(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _value(node: Element, path: str, default: str) -> str:
    child = node.find("/".join(M + name for name in path.split("/")))
    return default if child is None else str(child.get(M + "val", ""))


def _fraction(node: Element) -> str:
    return f"{_bracketed(_part(node, 'num'))}/{_bracketed(_part(node, 'den'))}"


def _raised(node: Element) -> str:
    return f"{_part(node, 'e')}^{_bracketed(_part(node, 'sup'))}"


def _lowered(node: Element) -> str:
    return f"{_part(node, 'e')}_{_bracketed(_part(node, 'sub'))}"


def _both(node: Element) -> str:
    return f"{_lowered(node)}^{_bracketed(_part(node, 'sup'))}"


def _root(node: Element) -> str:
    return f"{_part(node, 'deg')}√({_part(node, 'e')})"


def _sum(node: Element) -> str:
    lower, upper = _part(node, "sub"), _part(node, "sup")
    limits = (f"_{_bracketed(lower)}" if lower else "") + (f"^{_bracketed(upper)}" if upper else "")
    return f"{_value(node, 'naryPr/chr', '∫')}{limits} {_part(node, 'e')}"


def _delimited(node: Element) -> str:
    inner = _value(node, "dPr/sepChr", "|").join(equation_text(part) for part in node.iterchildren(M + "e"))
    return f"{_value(node, 'dPr/begChr', '(')}{inner}{_value(node, 'dPr/endChr', ')')}"


def _function(node: Element) -> str:
    return f"{_part(node, 'fName')} {_part(node, 'e')}"


def _rows(node: Element) -> str:
    return "; ".join(equation_text(part) for part in node.iterchildren(M + "e"))


def _matrix(node: Element) -> str:
    return "; ".join(
        " ".join(equation_text(cell) for cell in row.iterchildren(M + "e")) for row in node.iterchildren(M + "mr")
    )


_WRITERS = {
    "f": _fraction,
    "sSup": _raised,
    "sSub": _lowered,
    "sSubSup": _both,
    "rad": _root,
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "eqArr": _rows,
    "m": _matrix,
}
