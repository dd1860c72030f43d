"""Names of elements and attributes of OpenDocument, as documents write them: ``text:p``."""

from __future__ import annotations

from typing import Any

NAMESPACES = {
    prefix: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
    for prefix, name in (
        ("office", "office"),
        ("style", "style"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
        ("form", "form"),
        ("svg", "svg-compatible"),
    )
}
_PREFIXES = {namespace: prefix for prefix, namespace in NAMESPACES.items()}


def name_of(node: Any) -> str:
    """The name of an element; nothing of a comment."""
    if not isinstance(node.tag, str):
        return ""
    namespace, _, local = node.tag[1:].rpartition("}")
    return f"{_PREFIXES.get(namespace, '')}:{local}"


def attribute(node: Any, name: str) -> str:
    """The value of an attribute, or nothing."""
    prefix, _, local = name.partition(":")
    return str(node.get(f"{{{NAMESPACES[prefix]}}}{local}", ""))


def count(node: Any, name: str) -> int:
    """The value of an attribute that counts; 1 where it is missing or no number."""
    value = attribute(node, name)
    return int(value) if value.isdecimal() else 1
