"""Reads the documents: their paragraphs, code, links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ITEM = re.compile(r"^ *([*-]|\d+\.) ")
_BREAK = re.compile(r"\n(?=[ ]*(?:[*-]|\d+\.) )|\n\s*\n")


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")

    def __repr__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def blocks(self) -> list[str]:
        """What stands between fences."""
        return [block.partition("\n")[2].rpartition("\n")[0] for block in _FENCE.findall(self.text)]

    @cached_property
    def prose(self) -> str:
        """The rest."""
        return _COMMENT.sub("", _FENCE.sub("", self.text))

    @cached_property
    def spans(self) -> list[str]:
        """Inline code, each on one line."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    def paragraphs(self) -> Iterator[list[str]]:
        """The lines of each paragraph and of each item of a list; no headings, no tables."""
        for part in _BREAK.split(self.prose):
            lines = [line for line in part.splitlines() if line.strip() and not line.lstrip().startswith(("#", "|"))]
            if lines:
                yield lines

    def links(self) -> list[str]:
        """Targets of links and pictures within the repository."""
        return [target for target in _LINK.findall(self.prose) if "://" not in target]

    def anchors(self) -> set[str]:
        """What a link may name behind ``#``, as GitHub makes it of headings."""
        headings = (line.lstrip("#").strip() for line in self.prose.splitlines() if line.startswith("#"))
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


DOCUMENTS = [Document(path) for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])]
