"""Variables of a workflow file: ``${NAME}`` from the environment, ``${file:PATH}`` from a file.

They are put into values that YAML has parsed: what a variable holds is never read as YAML, and holds no variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from docfleet.core import masking

MAX_FILE_BYTES = 64 * 1024
_REFERENCE = re.compile(r"\$(?P<escape>\$)?\{(?P<body>[A-Za-z_][^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = "file:"
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_TEXT, _WHOLE_NUMBER, _BOOLEAN = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "bool"))
_CONNECTOR_FILE = ("settings",)
_ENDPOINTS = {("source", "settings"), ("destination", "settings")}


class _Missing(Exception):
    """Why a variable has no value."""


class Variables:
    """Puts the variables of one file in. ``faults`` are those without a value, with their lines."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self._folder = folder
        self._environment = environment
        self._done: set[int] = set()
        self._secrets: list[str] = []

    def expand(self, root: yaml.Node) -> None:
        """Replace the variables in all values below ``root``, not in keys. Secrets are masked from now on."""
        self._visit(root, ())
        masking.remember(self._secrets)

    def _visit(self, node: yaml.Node, at: tuple[str, ...]) -> None:
        if id(node) in self._done:  # an alias
            return
        self._done.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._visit(value, (*at, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._visit(item, at)
        elif isinstance(node, yaml.ScalarNode) and node.tag == _TEXT and "${" in node.value:
            self._scalar(node, at)

    def _scalar(self, node: yaml.ScalarNode, at: tuple[str, ...]) -> None:
        is_secret = any(map(masking.is_secret, at))
        alone = _REFERENCE.fullmatch(node.value)
        line = node.start_mark.line + 1

        def value_of(match: re.Match[str]) -> str:
            if match["escape"]:
                return match[0][1:]
            try:
                value = self._value(match["body"])
            except _Missing as missing:
                self.faults.append(f"line {line}: {missing}")
                return ""
            if is_secret or match["body"].startswith(_FILE) or masking.is_secret(match["body"]):
                self._secrets.append(value)
            return value

        text = node.value = _REFERENCE.sub(value_of, node.value)
        # A connector makes a number of digits where it takes one. Elsewhere nobody would.
        is_plain = node.style is None and alone and not alone["escape"] and not alone["body"].startswith(_FILE)
        if is_plain and not is_secret and at[:2] not in _ENDPOINTS and at[:1] != _CONNECTOR_FILE:
            if _NUMBER.fullmatch(text):
                node.tag = _WHOLE_NUMBER
            elif text in ("true", "false"):
                node.tag = _BOOLEAN

    def _value(self, body: str) -> str:
        if body.startswith(_FILE):
            return self._content(body.removeprefix(_FILE).strip())
        if not _NAME.fullmatch(body):
            raise _Missing(f"${{{body}}} is no variable: write ${{NAME}} or ${{file:PATH}}, or $${{ for a plain ${{")
        if body not in self._environment:
            raise _Missing(f"the variable {body} is not set")
        return self._environment[body]

    def _content(self, name: str) -> str:
        try:
            path = self._folder / Path(name).expanduser()
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
            text = content.decode("utf-8-sig")
        except (OSError, RuntimeError) as error:
            raise _Missing(f"the file {name} cannot be read: {getattr(error, 'strerror', error)}") from error
        except UnicodeDecodeError as error:
            raise _Missing(f"the file {name} is not a text in UTF-8") from error
        if len(content) > MAX_FILE_BYTES:
            raise _Missing(f"the file {name} has more than {MAX_FILE_BYTES} bytes")
        if "\0" in text:
            raise _Missing(f"the file {name} has a NUL character")
        return text.removesuffix("\n").removesuffix("\r")
