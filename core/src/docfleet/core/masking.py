"""No secret leaves in a log line: by the name of a value, by its place in a URL, and by the value itself.

``read_settings`` remembers the secrets a process was given; ``mask_text`` then takes them out of whatever is about
to be written, tracebacks and messages of libraries included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"
MIN_LENGTH = 8
"""The least length of a remembered value. A shorter one would also match unrelated words."""

_SECRET_NAME = re.compile(r"(?i)api_?key|password|passwd|secret|token|authorization|credential|_pass$|_key$|^key$")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]{0,200}):([^@/\s]{1,500})@")
_MAX_DEPTH = 8

_remembered: set[str] = set()
_any_of_them: re.Pattern[str] | None = None


def is_secret(name: str) -> bool:
    """Whether a value of this name must not be shown."""
    return _SECRET_NAME.search(name) is not None


def remember(values: Iterable[str]) -> None:
    """Never write these values, from now on, in this process. Short ones are left out."""
    global _any_of_them
    for value in values:
        if len(value) >= MIN_LENGTH:
            # As it may be written: in a URL, and inside JSON.
            _remembered.update((value, quote(value, safe=""), json.dumps(value)[1:-1]))
    if _remembered:
        longest_first = sorted(_remembered, key=len, reverse=True)
        _any_of_them = re.compile("|".join(map(re.escape, longest_first)))


def remember_settings(settings: Mapping[str, str]) -> None:
    """``remember`` what of these settings is secret: by the name, and the passwords in URLs."""
    secrets = [value for name, value in settings.items() if is_secret(name)]
    for value in settings.values():
        secrets += [unquote(match[2]) for match in _URL_PASSWORD.finditer(value)]
        secrets += [match[2] for match in _URL_PASSWORD.finditer(value)]
    remember(secrets)


def mask_text(text: str) -> str:
    """``text`` without remembered values and without passwords in URLs."""
    if _any_of_them is not None:
        text = _any_of_them.sub(MASK, text)
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", text) if "://" in text else text


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values whose name says that they are secret are masked, at any depth."""
    for name, value in event.items():
        event[name] = _masked(name, value, _MAX_DEPTH)
    return event


def mask_line(_logger: Any, _method: str, line: Any) -> Any:
    """A structlog processor behind the renderer: ``mask_text`` on the line as it will be written."""
    return mask_text(line) if isinstance(line, str) else line


def _masked(name: str, value: Any, levels: int) -> Any:
    if is_secret(name) and value is not None and not isinstance(value, bool):
        return MASK
    if isinstance(value, dict):
        return {key: _masked(str(key), inner, levels - 1) for key, inner in value.items()} if levels else MASK
    return value
