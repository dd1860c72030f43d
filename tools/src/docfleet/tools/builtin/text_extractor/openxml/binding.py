"""Content controls that show a value of the data within a document."""

from __future__ import annotations

import re

from docfleet.tools.builtin.text_extractor.openxml.package import Budget, Element, Package, W, text_of

_PREFIX = re.compile(r"xmlns:([\w.-]+)\s*=\s*(['\"])(.*?)\2")
_STEP = re.compile(r"/(@?)(?:([\w.-]+):)?([\w.-]+)(?:\[(\d+)\])?")
_CORE = "{6c3c8bc8-f283-45ae-878a-bab7291924a1}"


class Bindings:
    """The stores of a document, by their ids. Word shows what they hold, whatever a control says itself."""

    def __init__(self, package: Package, main: str, budget: Budget) -> None:
        self._package = package
        self._budget = budget
        self._stores: dict[str, str] = {}
        self._roots: dict[str, Element | None] = {}
        for part in package.all_related(main, "customXml"):
            properties = package.xml_if_sound(package.related(part, "customXmlProps"))
            if properties is not None:
                name = next((value for key, value in properties.attrib.items() if key.endswith("}itemID")), "")
                self._stores[name.lower()] = part
        self._stores.setdefault(_CORE, package.related("", "core-properties") or "")

    def text(self, control: Element) -> str | None:
        """The value of a control of plain text; None for one that is not bound, or has no value."""
        properties = control.find(W + "sdtPr")
        if properties is None or properties.find(W + "text") is None:
            return None
        binding = properties.find(W + "dataBinding")
        if binding is None:
            return None
        root = self._root(self._stores.get(binding.get(W + "storeItemID", "").lower(), ""))
        if root is None:
            return None
        prefixes = {match[1]: match[3] for match in _PREFIX.finditer(binding.get(W + "prefixMappings", ""))}
        text = _at(root, binding.get(W + "xpath", ""), prefixes)
        self._budget.spend(len(text))
        return text or None

    def _root(self, part: str) -> Element | None:
        if part not in self._roots:
            self._roots[part] = self._package.xml_if_sound(part)
        return self._roots[part]


def _at(root: Element, path: str, prefixes: dict[str, str]) -> str:
    """The text at a path of plain steps (``/a:order[1]/a:number[1]``), which are what Word writes; "" for others."""
    steps = list(_STEP.finditer(path))
    if not steps or "".join(step[0] for step in steps) != path:
        return ""
    node = None
    for is_attribute, prefix, name, position in (step.groups() for step in steps):
        tag = f"{{{prefixes.get(prefix, '')}}}{name}" if prefix else name
        if is_attribute:
            return "" if node is None else str(node.get(tag, ""))
        candidates = [root] if node is None else list(node)
        same = [child for child in candidates if child.tag == tag]
        at = int(position or 1) - 1
        if not 0 <= at < len(same):
            return ""
        node = same[at]
    return text_of(node).strip()
