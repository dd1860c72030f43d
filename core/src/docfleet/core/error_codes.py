"""Errors that a peer names by their codes."""

from __future__ import annotations

from docfleet.core.errors import DocfleetError


def _tree(root: type[DocfleetError]) -> dict[str, type[DocfleetError]]:
    tree: dict[str, type[DocfleetError]] = {}
    for child in root.__subclasses__():
        tree |= _tree(child)
    # A subclass may share the code and take other arguments: the class that defines the code wins.
    return tree | {root.code: root}


def error_from_code(code: str, message: str) -> DocfleetError:
    """The error a peer named by ``code``; an unknown code becomes a plain ``DocfleetError``."""
    return _tree(DocfleetError).get(code, DocfleetError)(message)
