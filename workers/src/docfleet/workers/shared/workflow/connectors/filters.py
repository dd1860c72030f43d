"""Filters the files of a listing by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence

GROUPS: dict[str, tuple[str, ...]] = {
    "pdf documents": ("*.pdf",),
    "word documents": ("*.doc", "*.docx", "*.odt", "*.rtf"),
    "excel documents": ("*.xls", "*.xlsx", "*.ods"),
    "powerpoint documents": ("*.ppt", "*.pptx", "*.odp"),
    "text files": ("*.txt", "*.md", "*.log"),
    "image files": ("*.png", "*.jpg", "*.jpeg", "*.tif", "*.tiff", "*.bmp", "*.gif", "*.webp"),
    "csv files": ("*.csv", "*.tsv"),
    "json files": ("*.json", "*.jsonl"),
    "xml files": ("*.xml",),
    "all files": ("*",),
    "office documents": ("*.doc", "*.docx", "*.xls", "*.xlsx", "*.ppt", "*.pptx", "*.odt", "*.ods", "*.odp"),
    "document files": ("*.pdf", "*.doc", "*.docx", "*.odt", "*.rtf", "*.txt"),
    "spreadsheet files": ("*.xls", "*.xlsx", "*.ods", "*.csv"),
    "presentation files": ("*.ppt", "*.pptx", "*.odp"),
    "archive files": ("*.zip", "*.tar", "*.gz", "*.7z", "*.rar"),
    "video files": ("*.mp4", "*.mov", "*.avi", "*.mkv", "*.webm"),
    "audio files": ("*.mp3", "*.wav", "*.flac", "*.ogg", "*.m4a"),
}
"""Display names of file groups (those of the original) and the patterns behind them."""


def name_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test for file names. A pattern is a group's name, a glob (``*.pdf``), or an extension (``pdf``,
    ``.pdf``); letter case does not matter; no pattern means every file."""
    globs = tuple(glob for pattern in patterns for glob in _globs(pattern.strip().lower()))
    if not globs or "*" in globs:
        return lambda name: True
    return lambda name: any(fnmatch.fnmatchcase(name.lower(), glob) for glob in globs)


def _globs(pattern: str) -> tuple[str, ...]:
    if not pattern:
        return ()
    if pattern in GROUPS:
        return GROUPS[pattern]
    if any(mark in pattern for mark in "*?["):
        return (pattern,)
    if pattern.startswith(".") or "." not in pattern:
        return (f"*.{pattern.lstrip('.')}",)
    return (pattern,)
