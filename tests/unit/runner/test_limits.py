"""Limits of a run: the size of its folder."""

from __future__ import annotations

from pathlib import Path

from docfleet.runner.limits import MAX_FILES, FolderSize, folder_size


def test_folder_size_counts_files_and_stops_early(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("/etc/services")
    measured = folder_size(str(tmp_path), 10_000)
    assert measured.largest == 100 and 100 <= measured.total < 200
    assert folder_size(str(tmp_path), 50).total == 51
    assert folder_size(str(tmp_path / "nowhere"), 50) == FolderSize(0, 0)
    assert MAX_FILES > 1000
