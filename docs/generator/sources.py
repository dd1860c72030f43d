"""Finds definitions in the sources by name, so that a module may move without a change here."""

from __future__ import annotations

import ast
import importlib
import itertools
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import docfleet


class SourceModule(NamedTuple):
    """One module: its dotted name and its syntax tree."""

    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The member it belongs to: ``backend``, ``workers``, ..."""
        return self.name.split(".")[1]


@cache
def sources() -> tuple[SourceModule, ...]:
    """Every module of every member, in the order of their names; steps of the migrations are left out."""
    modules = []
    for root in map(Path, docfleet.__path__):
        for path in root.rglob("*.py"):
            parts = path.relative_to(root.parent).with_suffix("").parts
            if "versions" not in parts:
                name = ".".join(part for part in parts if part != "__init__")
                modules.append(SourceModule(name, ast.parse(path.read_text("utf-8"))))
    return tuple(sorted(modules, key=lambda source: source.name))


@cache
def calls() -> tuple[tuple[SourceModule, ast.Call], ...]:
    """Every call of every module."""
    return tuple((source, node) for source in sources() for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def constant(node: ast.AST | None) -> Any:
    """The value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def defined(name: str) -> Any:
    """The function, class or constant of this name, imported from the one module that defines it.

    Raises ``LookupError`` when no module does, or several do.
    """
    homes = [source.name for source in sources() if any(name in _names(node) for node in source.tree.body)]
    if len(homes) != 1:
        raise LookupError(f"{name} is defined in {homes or 'no module'}: change its name in the generator")
    return getattr(importlib.import_module(homes[0]), name)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def field_docstrings(cls: type) -> dict[str, str]:
    """The docstring below each field of a class, on one line."""
    body = next(
        node.body
        for source in sources()
        if source.name == cls.__module__
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    docstrings = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            docstrings[field.target.id] = " ".join(str(constant(after.value)).split())
    return docstrings
