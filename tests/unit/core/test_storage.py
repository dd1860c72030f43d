"""Paths of the storage are made of ids only, and the receiver checks them again."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.core.errors import UnsafePath
from docfleet.core.storage import file_folder, resolve_folder


@pytest.mark.parametrize("bad", ["..", "", "a/b", "/etc", "a\0b", "x" * 200, ".hidden", "a\n"])
def test_storage_paths_are_made_of_ids_only(bad: str) -> None:
    with pytest.raises(UnsafePath):
        file_folder("org", "wf", "exec", bad)


def test_storage_paths_are_checked_again_by_the_receiver() -> None:
    assert resolve_folder(Path("/s"), "o/w/e/f.1") == Path("/s/o/w/e/f.1")
    with pytest.raises(UnsafePath):
        resolve_folder(Path("/s"), "o/../../etc")
