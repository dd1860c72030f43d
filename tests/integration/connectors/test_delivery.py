"""Delivery of files under faults: killed between outputs, repeated with others, woken up late, failed in the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from docfleet.connectors.base import WriteFence
from docfleet.connectors.delivery import DeliveredFiles, deliver_files, withdraw_files
from docfleet.connectors.filesystems import local as local_module
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.core.errors import Fenced, FileMissing
from tests.integration.killed_process import in_a_process_that

Outputs = dict[str, str]


class Place:
    """A destination folder, and the working folder that the attempts of one file share."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "target"
        self.notes = folder / "execution"
        self.notes.mkdir()

    def deliver(
        self, outputs: Outputs, attempt: int, *, source: str = "a.pdf", require: Callable[[], None] = lambda: None
    ) -> DeliveredFiles:
        folder = self.notes / f"{source}.{attempt}"
        for name, content in outputs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        files = LocalFileSystem({"path": str(self.target)})
        return deliver_files(
            files, folder, "/", source, source, fence=self.fence(attempt, source, require), notes=self.notes
        )

    @staticmethod
    def fence(attempt: int, source: str = "a.pdf", require: Callable[[], None] = lambda: None) -> WriteFence:
        return WriteFence(f"id-of-{source}", attempt, require)

    def contents(self) -> list[str]:
        return sorted(path.read_text() for path in self.target.rglob("*") if path.is_file())

    def names(self) -> list[str]:
        return sorted(path.name for path in self.target.rglob("*") if path.is_file())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def at_call(number: int, sign: int) -> Callable[[], None]:
    """A ``require`` that sends this process the signal at its n-th call: right before an output gets its name."""
    calls = 0

    def require() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), sign)

    return require


THREE = {"a.json": "one", "pages/1.txt": "two", "pages/2.txt": "three"}


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_writer_killed_between_two_outputs_leaves_the_same_set_once_it_is_repeated(place: Place, call: int) -> None:
    in_a_process_that(signal.SIGKILL, lambda: place.deliver(THREE, 1, require=at_call(call, signal.SIGKILL)))
    assert len(list(place.target.rglob(".docfleet-*.part"))) == 1
    again = place.deliver(THREE, 2)
    assert place.contents() == ["one", "three", "two"]
    assert len(again.locations) == 3 and len(place.names()) == 3


def test_a_repeat_with_fewer_outputs_leaves_no_stale_one(place: Place) -> None:
    place.deliver({"a.txt": "of another file"}, 1, source="b.pdf")
    first = place.deliver(THREE, 1)
    fewer = place.deliver({"a.json": "new", "pages/2.txt": "three"}, 2)
    assert place.contents() == ["new", "of another file", "three"]
    assert first.digest != fewer.digest
    other = place.deliver({"other.xml": "other"}, 3)
    assert place.contents() == ["of another file", "other"]
    assert place.deliver({"other.xml": "other"}, 4) == other


def test_what_somebody_changed_since_is_not_removed(place: Place) -> None:
    for location in place.deliver(THREE, 1).locations:
        if location.endswith("2.txt"):
            Path(location).write_text("edited by hand")
    place.deliver({"a.json": "new"}, 2)
    assert place.contents() == ["edited by hand", "new"]


def test_a_file_that_fails_in_the_end_takes_back_what_an_attempt_delivered(place: Place) -> None:
    in_a_process_that(signal.SIGKILL, lambda: place.deliver(THREE, 1, require=at_call(3, signal.SIGKILL)))
    assert len(place.names()) == 3  # two outputs, and the third under its temporary name
    withdraw_files(LocalFileSystem({"path": str(place.target)}), place.fence(2), place.notes)
    assert place.names() == []


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_writer_that_stands_still_and_wakes_up_late_changes_nothing(place: Place, call: int) -> None:
    pid = in_a_process_that(signal.SIGSTOP, lambda: place.deliver(THREE, 1, require=at_call(call, signal.SIGSTOP)))
    later = place.deliver({"a.json": "new", "pages/1.txt": "newer"}, 2)
    os.kill(pid, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert place.contents() == ["new", "newer"]
    assert sorted(Path(location).name for location in later.locations) == place.names()


def test_a_writer_without_a_lease_gives_nothing_a_name(place: Place) -> None:
    place.deliver({"a.json": "new"}, 1)

    def lost() -> None:
        raise Fenced("lost")

    with pytest.raises(Fenced):
        place.deliver({"a.json": "late"}, 2, require=lost)
    assert place.contents() == ["new"] and len(place.names()) == 1


def test_what_a_killed_writer_left_goes_with_the_next_delivery_once_it_is_old(place: Place) -> None:
    place.target.mkdir()
    old, young = (place.target / f".docfleet-{number}.part" for number in ("0123456789abcdef", "fedcba9876543210-3"))
    theirs = place.target / "theirs.part"
    for path in (old, young, theirs):
        path.write_text("half")
    past = time.time() - local_module.ABANDONED_SECONDS - 60
    for path in (old, theirs):
        os.utime(path, (past, past))
    place.deliver({"a.json": "1"}, 1)
    assert (old.exists(), young.exists(), theirs.exists()) == (False, True, True)


def test_a_location_is_a_path_below_the_root(place: Place) -> None:
    files = LocalFileSystem({"path": str(place.target)})
    (location, *_) = place.deliver({"x\udcff.json": "1"}, 1).locations
    with files.open(files.path_of(location)) as content:
        assert content.read() == b"1"
    for elsewhere in ("/etc/passwd", "relative", str(place.target.parent)):
        with pytest.raises(FileMissing):
            files.path_of(elsewhere)
