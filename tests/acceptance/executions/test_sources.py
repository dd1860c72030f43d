"""What a source may be: missing, unreadable, gone midway, empty, filtered, sorted, limited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet, Stage, fill

TEN = {f"{number:02}.txt": f"document {number}" for number in range(10)}


def test_a_source_that_is_missing_is_an_error_with_its_path(fleet: Fleet, tmp_path: Path) -> None:
    run = fleet.run(tmp_path / "nowhere")
    assert run.status == "ERROR"
    assert "does not exist" in run.error
    assert str(tmp_path / "nowhere") in run.error
    assert run.json()["error"] == run.error
    assert run.error in run.page()
    assert run.result.exit_code == 1


def test_a_source_that_cannot_be_read_is_an_error_with_its_path(fleet: Fleet, tmp_path: Path) -> None:
    locked = fill(tmp_path / "locked", TEN)
    if os.getuid() == 0:  # nothing is closed to root
        locked = tmp_path / "locked" / "00.txt"
    else:
        locked.chmod(0)
    run = fleet.run(locked)
    locked.chmod(0o700)
    assert run.status == "ERROR"
    assert str(locked) in run.error
    assert "not a folder" in run.error or "Permission denied" in run.error


def test_a_source_that_vanishes_midway_is_an_error_and_delivers_nothing(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {f"{number:04}.txt": "document" for number in range(600)})
    run = fleet.run(source, connector="vanishing")
    assert run.status == "ERROR"
    assert f"{source} disappeared while it was being listed" in run.error
    assert run.json()["successful_files"] == 0
    assert {file.status for file in run.files} <= {"ERROR", "STOPPED"}
    assert not Path(run.workflow.destination["settings"]["path"]).exists()


def test_nothing_there_nothing_matched_and_all_filtered_are_distinguished(fleet: Fleet, tmp_path: Path) -> None:
    empty = fleet.run(fill(tmp_path / "empty", {}))
    unmatched = fleet.run(fill(tmp_path / "in", TEN), fileExtensions=["pdf"])
    first = fleet.run(tmp_path / "in")
    again = fleet.run(tmp_path / "in", name=first.workflow.name)
    assert first.json()["successful_files"] == 10
    for run in (empty, unmatched, again):
        assert (run.status, run.json()["total_files"], run.result.exit_code) == ("COMPLETED", 0, 0)
    assert [run.json()["empty_reason"] for run in (empty, unmatched, again)] == ["no_match", "no_match", "all_filtered"]
    assert "no file in the source matched" in empty.page()
    assert "every file of the source was skipped" in again.page()
    assert "10 already processed in an earlier run" in again.page()
    assert len(first.rows()) == 10
    assert again.rows() == []


def test_without_history_everything_is_processed_again(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", TEN)
    first = fleet.run(source)
    second = fleet.run(source, name=first.workflow.name, history=False)
    assert [run.json()["successful_files"] for run in (first, second)] == [10, 10]
    assert [len(run.rows()) for run in (first, second)] == [10, 10]


def test_what_failed_is_tried_again_and_what_is_new_is_found(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {**TEN, "bad.txt": "crash"})
    first = fleet.run(source)
    (source / "bad.txt").write_text("repaired")
    (source / "new.txt").write_text("new")
    second = fleet.run(source, name=first.workflow.name)
    assert first.json()["failed_files"] == 1
    assert second.statuses == {"bad.txt": "COMPLETED", "new.txt": "COMPLETED"}
    assert second.json()["skipped_files"] == 10


def test_a_file_that_keeps_failing_is_given_up(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"bad.txt": "crash"})
    first = fleet.run(source, workflow={"max_file_execution_count": 2})
    more = [fleet.run(source, name=first.workflow.name, workflow={"max_file_execution_count": 2}) for _ in range(2)]
    assert [run.json()["failed_files"] for run in (first, *more)] == [1, 1, 0]
    assert more[1].state.skipped == {"attempts_exhausted": 1}
    assert "failed too often" in more[1].page()


def test_patterns_recursion_and_folders_choose_the_files(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(
        tmp_path / "in", {name: name for name in ("a.txt", "b.PDF", "c.csv", "x/d.txt", "x/y/e.txt", "z/f.txt")}
    )

    def found(**options: object) -> list[str]:
        return sorted(fleet.run(source, history=False, **options).statuses)

    assert found() == ["a.txt", "b.PDF", "c.csv", "x/d.txt", "x/y/e.txt", "z/f.txt"]
    assert found(processSubDirectories=False) == ["a.txt", "b.PDF", "c.csv"]
    assert found(fileExtensions=["pdf", ".csv"]) == ["b.PDF", "c.csv"]
    assert found(fileExtensions=["?.txt"], folders=["/x", "/z"]) == ["x/d.txt", "x/y/e.txt", "z/f.txt"]
    assert found(fileExtensions=["Text files"], folders=["x", "x/y"], processSubDirectories=False) == [
        "x/d.txt",
        "x/y/e.txt",
    ]


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_order_and_limit(fleet: Fleet, tmp_path: Path, order: str) -> None:
    source = fill(tmp_path / "in", TEN)
    ages = {name: 1_700_000_000 + 100 * ((7 * number) % 10) for number, name in enumerate(TEN)}
    for name, age in ages.items():
        os.utime(source / name, (age, age))
    wanted = sorted(TEN, key=lambda name: ages[name], reverse=order == "newest_first")
    run = fleet.run(source, fileProcessingOrder=order, maxFiles=4)
    assert [(file.file_number, file.name) for file in run.files] == list(enumerate(wanted[:4], start=1))
    rest = fleet.run(source, name=run.workflow.name, fileProcessingOrder=order)
    assert [file.name for file in rest.files] == wanted[4:]


def test_a_file_that_another_execution_works_on_is_left_to_it(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    source = fill(tmp_path / "in", {"one.txt": "wait", "two.txt": "wait"})
    first = fleet.begin(source, stage.tool)
    stage.await_starts(1)
    second = fleet.run(source, stage.tool, name=first.workflow.name, history=False)
    assert second.state.skipped == {"active_elsewhere": 2}
    assert "being processed by another execution" in second.page()
    stage.open()
    assert first.wait().json()["successful_files"] == 2
    assert sorted(stage.started()) == ["one.txt", "two.txt"]


def test_a_file_listed_twice_is_processed_once(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"sub/a.txt": "document"})
    (source / "again").symlink_to(source / "sub")
    run = fleet.run(source, folders=["/", "/sub", "/sub/"])
    assert run.statuses == {"sub/a.txt": "COMPLETED"}
    run.assert_cleaned()


def test_no_entry_of_a_source_is_left_out_in_silence(fleet: Fleet, tmp_path: Path) -> None:
    deep = "/".join(["d"] * 15)
    source = fill(tmp_path / "in", {"a.txt": "one", f"{deep}/b.txt": "two"})
    (source / "gone.txt").symlink_to("nowhere")
    (source / "out.txt").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "elsewhere.txt").write_text("three")
    (source / "d" / "loop").symlink_to(source)
    os.mkfifo(source / "pipe")
    run = fleet.run(source)
    assert run.statuses == {"a.txt": "COMPLETED", f"{deep}/b.txt": "COMPLETED"}
    expected = {"broken_link": 1, "link_outside": 1, "listed_already": 1, "not_a_file": 1}
    assert (run.state.skipped, run.state.execution.skipped_files) == (expected, 4)
    assert run.result.exit_code == 3
    page, log = run.page(), "\n".join(line.log for line in fleet.client.logs(run.id))
    for line in (
        "1 not read: link to nothing (mend or remove it): gone.txt",
        "1 not read: link out of the source folder (put the file itself there): out.txt",
        "1 not read: device, pipe or socket: pipe",
    ):
        assert line in page and line in log
    shallow = fleet.run(source, maxDepth=3, name=run.workflow.name, history=False)
    assert shallow.statuses == {"a.txt": "COMPLETED"}
    assert shallow.state.skipped_examples["too_deep"] == ["d/d/d"]
