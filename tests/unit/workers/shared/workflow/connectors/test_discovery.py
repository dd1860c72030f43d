"""Discovery of files: its options, and a folder that is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.batch_calls import MAX_EXAMPLES, LeftOut
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
    return [file.file_path for file in discover(connector, options, "local", LeftOut())]


def test_discovery_options(folder: Path) -> None:
    assert set(listed(folder)) == {"a.pdf", "b.pdf", "e.txt"}
    assert set(listed(folder, processSubDirectories=True, fileExtensions=["*.pdf"])) == {"a.pdf", "b.pdf", "sub/c.pdf"}
    assert listed(folder, process_sub_directories=True, folders=["/sub", "/sub/deep"]) == [
        "sub/c.pdf",
        "sub/deep/d.txt",
    ]
    assert listed(folder, fileProcessingOrder="oldest_first") == ["b.pdf", "a.pdf", "e.txt"]
    assert listed(folder, fileProcessingOrder="newest_first") == ["e.txt", "a.pdf", "b.pdf"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxFiles": 0},
        {"maxFiles": "many"},
        {"fileProcessingOrder": "random"},
        {"fileExtensions": ["PDF document"]},
        {"ignoreNames": ["system"]},
    ],
)
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SourceOptions.from_settings(wrong)


def test_a_missing_folder_is_an_error_never_an_empty_listing(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="gone"):
        listed(tmp_path / "gone")
    with pytest.raises(SourceNotFound, match="nowhere"):
        listed(tmp_path, folders=["nowhere"])


def test_what_is_left_out_is_counted_and_the_first_are_named(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.pdf").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    left_out = LeftOut()
    options = SourceOptions.from_settings({"processSubDirectories": True, "maxDepth": 2})
    connector = LocalFileSystem({"path": str(tmp_path)})
    assert list(discover(connector, options, "local", left_out)) == []
    assert left_out.counts == {"broken_link": 8, "not_a_file": 1, "too_deep": 1}
    assert left_out.examples == {
        "broken_link": [f"{number}.pdf" for number in range(MAX_EXAMPLES)],
        "not_a_file": ["pipe"],
        "too_deep": ["sub/deep"],
    }


def test_what_systems_leave_behind_is_left_out_unread(tmp_path: Path) -> None:
    for name in (".DS_Store", "~$a.docx", "@eaDir/a.pdf/thumb.jpg", "$RECYCLE.BIN/old.pdf", "sub/._a.pdf", "sub/a.pdf"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "lost+found").mkdir(mode=0o000)
    left_out = LeftOut()
    options = SourceOptions.from_settings({"processSubDirectories": True})
    connector = LocalFileSystem({"path": str(tmp_path)})
    assert [file.file_path for file in discover(connector, options, "local", left_out)] == ["sub/a.pdf"]
    assert left_out.counts == {"no_document": 6}
    assert set(left_out.examples["no_document"]) < {
        *("$RECYCLE.BIN", ".DS_Store", "@eaDir", "lost+found", "sub/._a.pdf", "~$a.docx")
    }


def test_what_is_left_out_by_name_is_a_choice(tmp_path: Path) -> None:
    for name in (".DS_Store", "a.bak", "a.pdf"):
        (tmp_path / name).write_bytes(b"x")
    assert listed(tmp_path) == ["a.bak", "a.pdf"]
    assert listed(tmp_path, ignoreNames=[]) == [".DS_Store", "a.bak", "a.pdf"]
    assert listed(tmp_path, ignoreNames=["system files", "*.BAK"]) == ["a.pdf"]
