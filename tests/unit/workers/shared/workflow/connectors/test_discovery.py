"""Discovery of files: its options, and a folder that is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.errors import ConfigurationError, SourceNotFound
from docfleet.workers.shared.workflow.connectors.discovery import SourceOptions, discover


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["b.pdf", "a.pdf", "sub/c.pdf", "sub/deep/d.txt", "e.txt"]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
        os.utime(path, (1000 + number, 1000 + number))
    return tmp_path


def listed(folder: Path, **settings: Any) -> list[str]:
    options = SourceOptions.from_settings(settings)
    connector = LocalFileSystem({"path": str(folder)})
    return [file.file_path for file in discover(connector, options, "local")]


def test_discovery_options(folder: Path) -> None:
    assert set(listed(folder)) == {"a.pdf", "b.pdf", "e.txt"}
    assert set(listed(folder, processSubDirectories=True, fileExtensions=["*.pdf"])) == {"a.pdf", "b.pdf", "sub/c.pdf"}
    assert listed(folder, process_sub_directories=True, folders=["/sub", "/sub/deep"]) == [
        "sub/c.pdf",
        "sub/deep/d.txt",
    ]
    assert listed(folder, fileProcessingOrder="oldest_first") == ["b.pdf", "a.pdf", "e.txt"]
    assert listed(folder, fileProcessingOrder="newest_first") == ["e.txt", "a.pdf", "b.pdf"]


@pytest.mark.parametrize("wrong", [{"maxFiles": 0}, {"maxFiles": "many"}, {"fileProcessingOrder": "random"}])
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SourceOptions.from_settings(wrong)


def test_a_missing_folder_is_an_error_never_an_empty_listing(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="gone"):
        listed(tmp_path / "gone")
    with pytest.raises(SourceNotFound, match="nowhere"):
        listed(tmp_path, folders=["nowhere"])
