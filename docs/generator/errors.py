"""`errors.md`: from the tree of errors, and from the refusals of HTTP routes."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator

from docfleet.core.errors import DocfleetError
from docs.generator.markdown import code, first_sentence, page, prose, table
from docs.generator.sources import calls, constant, defined, sources

HOME = DocfleetError.__module__
UNFORESEEN = 500
"""The status of an error that no route answers with."""
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")


def tree(root: type[DocfleetError] = DocfleetError, depth: int = 0) -> Iterator[tuple[int, type[DocfleetError]]]:
    """Every class of the tree that has a code of its own, parents first, with its depth."""
    if "code" in root.__dict__:
        yield depth, root
    ours = [child for child in root.__subclasses__() if child.__module__.startswith("docfleet.")]
    # Classes of the tree's own module are in the order of the file; others have no stable order.
    for child in sorted(ours, key=lambda kind: "" if kind.__module__ == HOME else kind.__module__ + kind.__name__):
        yield from tree(child, depth + 1)


def import_tree() -> None:
    """Import every module that adds a class to the tree."""
    known = {DocfleetError.__name__}
    while True:
        classes = {
            (source.name, node.name)
            for source in sources()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ClassDef) and known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        }
        if known >= {name for _, name in classes}:
            break
        known |= {name for _, name in classes}
    for module in sorted({module for module, _ in classes}):
        importlib.import_module(module)


def refusals() -> list[tuple[str, str]]:
    """Codes that only HTTP answers have, with their statuses: calls as ``CallRefused(413, "too_large", ...)``."""
    statuses_of: dict[str, set[int]] = {}
    for source, call in calls():
        if source.package == "backend" and len(call.args) >= 2:
            status, word = constant(call.args[0]), constant(call.args[1])
            if isinstance(status, int) and 400 <= status < 600 and isinstance(word, str) and _WORD.fullmatch(word):
                statuses_of.setdefault(word, set()).add(status)
    known = {kind.code for _, kind in tree()}
    return [
        (code(word), ", ".join(map(str, sorted(statuses))))
        for word, statuses in sorted(statuses_of.items())
        if word not in known
    ]


def render() -> str:
    """The page."""
    import_tree()
    status_of = defined("status_of")
    rows = [
        (
            "&nbsp;&nbsp;" * depth + code(kind.code),
            kind.__name__,
            "yes" if kind.retryable else "",
            status if (status := status_of(kind.__new__(kind))) != UNFORESEEN else "",
            first_sentence(inspect.getdoc(kind)),
        )
        for depth, kind in tree()
    ]
    return page(
        "Errors",
        prose(
            "Every error has a stable code. It stands in rows, results, HTTP answers and log lines. An answer is "
            "`application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with `code` and `detail`; "
            "`detail` is for people and may change. Indentation shows the tree: whoever handles a class handles what "
            "stands below it. A code without an HTTP status is that of a file or an execution."
        ),
        table(("code", "class", "repeat may help", "HTTP", "meaning"), rows),
        "## Codes of HTTP answers alone",
        table(("code", "HTTP"), refusals()),
    )
