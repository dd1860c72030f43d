"""Names of files that a tool writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk.context import safe_name


@pytest.mark.parametrize("name", ["a b.pdf", "ä'\"\n.pdf", "字" * 85, "x" * 251 + ".pdf", ".hidden", "-rf"])
def test_any_name_a_file_system_takes_is_kept(name: str, tmp_path: Path) -> None:
    assert safe_name(name) == name
    (tmp_path / safe_name(name)).touch()


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../etc/passwd", "passwd"), ("..", "document"), ("", "document"), ("a\0b", "ab"), ("/", "document")],
)
def test_no_name_leaves_its_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_name_too_long_keeps_its_suffix(tmp_path: Path) -> None:
    name = safe_name("字" * 100 + ".pdf")
    assert name.endswith(".pdf") and len(name.encode()) <= 255
    (tmp_path / name).touch()
