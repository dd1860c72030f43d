"""The links of an index page as the names of one folder."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from docfleet.connectors.paths import safe_name
from docfleet.core.errors import UnsafePath


class Link(NamedTuple):
    """``name`` is one of the operating system; None where it is none."""

    name: str | None
    shown: str
    is_folder: bool


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets += [value for name, value in attrs if name == "href" and value]


def links(page: str, url: str) -> list[Link]:
    """What lies directly below ``url`` (ends with a slash), each name once, sorted. Other links, such as those to
    the folder above and those that sort the index, are left out."""
    anchors = _Anchors()
    anchors.feed(page)
    anchors.close()
    here = urlsplit(url)
    found = {}
    for target in anchors.targets:
        try:
            there = urlsplit(urljoin(url, target.strip()))
        except ValueError:
            continue
        if (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.query:
            continue
        if not there.path.startswith(here.path):
            continue
        below = there.path[len(here.path) :]
        name = below.rstrip("/")
        if name and "/" not in name:
            found[name] = Link(_name(name), name, below.endswith("/"))
    return [found[name] for name in sorted(found)]


def _name(quoted: str) -> str | None:
    try:
        return safe_name(os.fsdecode(unquote_to_bytes(quoted)))
    except UnsafePath:
        return None
