r"""Names and paths below a root: the one module of path safety.

A POSIX file name is bytes. Python shows undecodable bytes as lone surrogates, which neither JSON nor a database
takes. ``encode_name`` writes such a byte as ``\xNN`` (two lower-case hex digits), and the backslash of a name
that literally contains ``\x`` and two hex digits as ``\x5c``; every other name stays as it is. ``decode_name``
is its exact inverse.
"""

from __future__ import annotations

import re

from docfleet.core.errors import UnsafePath

MAX_NAME_BYTES = 255

_ESCAPE = re.compile(r"[\udc80-\udcff]|\\(?=x[0-9a-f]{2})")
_UNESCAPE = re.compile(r"\\x(5c|[89a-f][0-9a-f])")


def encode_name(name: str) -> str:
    """An operating-system name (or path) as valid Unicode."""
    return _ESCAPE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", name)


def decode_name(name: str) -> str:
    """The operating-system name ``encode_name`` was given."""

    def restore(match: re.Match[str]) -> str:
        byte = int(match[1], 16)
        return "\\" if byte == 0x5C else chr(0xDC00 | byte)

    return _UNESCAPE.sub(restore, name)


def path_parts(path: str) -> tuple[str, ...]:
    """The names along an encoded relative path, decoded for the operating system; ``()`` is the root.

    Raises ``UnsafePath`` for an absolute path, ``..``, a NUL character or a name over 255 bytes.
    """
    if "\0" in path:
        raise UnsafePath(f"path {path!r} contains a NUL character: rename the file")
    if path.startswith("/"):
        raise UnsafePath(f"path {path!r} is absolute: give it relative to the connector's folder")
    parts = tuple(decode_name(part) for part in path.split("/") if part not in ("", "."))
    for part in parts:
        safe_name(part)
    return parts


def file_parts(path: str) -> tuple[str, ...]:
    """``path_parts`` of a path that names a file; raises ``UnsafePath`` for the root, too."""
    parts = path_parts(path)
    if not parts:
        raise UnsafePath(f"path {path!r} names no file: give it a file name")
    return parts


def safe_name(name: str) -> str:
    """``name`` itself when it is one name inside a folder; raises ``UnsafePath`` otherwise."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UnsafePath(f"{name!r} is not a file name: it would leave its folder")
    try:
        length = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        raise UnsafePath(f"{name!r} is not a file name: it is not valid Unicode") from error
    if length > MAX_NAME_BYTES:
        raise UnsafePath(f"the file name {name[:40]!r}... is longer than {MAX_NAME_BYTES} bytes: shorten it")
    return name


def safe_join(folder: str, path: str) -> str:
    """``folder/path`` as a relative encoded path. Raises ``UnsafePath`` when it leaves the root.

    A leading slash of ``folder`` is the root of the connector, not of the machine (``/`` is the default
    ``outputFolder``).
    """
    parts = (*path_parts(folder.lstrip("/")), *path_parts(path))
    return encode_name("/".join(parts))


def shorten_name(name: str, room: int) -> str:
    """``name`` cut to ``room`` bytes without cutting a character in two."""
    return name.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore")
