"""The working folder of a run: what is published, copied back, refused and removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from docfleet.core.errors import FileMissing, ToolOutputTooLarge, ToolResultInvalid
from docfleet.runner import folders
from docfleet.runner.folders import ExecutionFolder, WorkingFolder

ENTRY = {"tool_name": "t", "elapsed_time": 0.5, "output_type": "TXT"}


def execution_folder(root: Path) -> Path:
    folder = root / "execution"
    folder.mkdir()
    (folder / "SOURCE").write_bytes(b"old")
    (folder / "INFILE").write_bytes(b"old")
    (folder / "METADATA.json").write_text(json.dumps({"source_name": "a", "tool_metadata": []}))
    return folder


def finished_run(execution: ExecutionFolder, root: Path) -> WorkingFolder:
    working = WorkingFolder(root)
    execution.copy_in(working)
    (working.data / "INFILE").write_bytes(b"new")
    (working.data / "COPY_TO_FOLDER" / "bin").mkdir(parents=True, exist_ok=True)
    (working.data / "COPY_TO_FOLDER" / "bin" / "a").write_bytes(b"copy")
    metadata = json.loads((working.data / "METADATA.json").read_text())
    metadata["tool_metadata"].append(ENTRY)
    (working.data / "METADATA.json").write_text(json.dumps(metadata))
    return working


class PowerCut(BaseException):
    pass


def published(folder: Path) -> tuple[int, bytes]:
    return len(json.loads((folder / "METADATA.json").read_bytes())["tool_metadata"]), (folder / "INFILE").read_bytes()


@pytest.mark.parametrize("moves", range(6))
def test_a_publication_is_all_or_nothing_wherever_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    done = 0
    rename = Path.rename

    def cut(self: Path, target: Path) -> Path:
        nonlocal done
        if done == moves:
            raise PowerCut
        done += 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", cut)
    try:
        execution.publish(working, 1)
    except PowerCut:
        # Who reads the new metadata without asking the runner must find the new INFILE.
        assert published(folder) in {(0, b"old"), (0, b"new")}
    monkeypatch.undo()
    steps = len(ExecutionFolder(folder).steps)
    assert published(folder) == ((1, b"new") if steps else (0, b"old"))
    assert steps == (1 if moves >= 3 else 0)
    if not steps:
        again = ExecutionFolder(folder)
        again.publish(finished_run(again, tmp_path / "again"), 1)
        assert published(folder) == (1, b"new")
    assert sorted(path.name for path in folder.iterdir()) == ["COPY_TO_FOLDER", "INFILE", "METADATA.json", "SOURCE"]
    assert (folder / "COPY_TO_FOLDER" / "bin" / "a").read_bytes() == b"copy"


def test_a_result_moves_between_file_systems(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, memory / f"docfleet-test-{os.getpid()}")
    try:
        execution.publish(working, 1)
    finally:
        working.remove()
    assert published(folder) == (1, b"new")
    assert not list(folder.glob(".*"))


def test_only_what_the_tool_changed_is_copied_back(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    (folder / "COPY_TO_FOLDER").mkdir()
    (folder / "COPY_TO_FOLDER" / "earlier").write_bytes(b"earlier")
    before = (folder / "COPY_TO_FOLDER" / "earlier").stat().st_ino
    execution = ExecutionFolder(folder)
    execution.publish(finished_run(execution, tmp_path / "run"), 1)
    assert (folder / "COPY_TO_FOLDER" / "earlier").stat().st_ino == before
    assert (folder / "COPY_TO_FOLDER" / "bin" / "a").exists()


def test_special_files_are_refused(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    os.mkfifo(working.data / "COPY_TO_FOLDER" / "pipe")
    with pytest.raises(ToolResultInvalid, match="no file"):
        execution.publish(working, 1)
    (working.data / "COPY_TO_FOLDER" / "pipe").unlink()
    (working.data / "METADATA.json").unlink()
    (working.data / "METADATA.json").symlink_to("/etc/hostname")
    with pytest.raises(ToolResultInvalid, match="regular file"):
        execution.publish(working, 1)
    assert published(folder) == (0, b"old")


def leave(working: WorkingFolder, **files: bytes) -> None:
    for name, content in files.items():
        (working.data / name.replace("_", ".")).write_bytes(content)


def test_words_and_evidence_are_published_and_words_reach_the_next_tool(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    leave(working, WORDS=b"words", EVIDENCE_json=b"{}")
    execution.publish(working, 1)
    assert (folder / "WORDS").read_bytes() == b"words" and (folder / "EVIDENCE.json").read_bytes() == b"{}"
    place = (folder / "WORDS").stat().st_ino
    following = finished_run(ExecutionFolder(folder), tmp_path / "next")
    assert (following.data / "WORDS").read_bytes() == b"words" and not (following.data / "EVIDENCE.json").exists()
    ExecutionFolder(folder).publish(following, 2)
    assert (folder / "EVIDENCE.json").read_bytes() == b"{}", "the result is the same, and so is its evidence"
    other = finished_run(ExecutionFolder(folder), tmp_path / "other")
    (other.data / "INFILE").write_bytes(b"another result")
    ExecutionFolder(folder).publish(other, 3)
    assert (folder / "WORDS").stat().st_ino == place, "a file that did not change is not written again"
    assert not (folder / "EVIDENCE.json").exists(), "the evidence was for another result"


def test_words_and_evidence_that_are_no_files_are_refused(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    (working.data / "WORDS").symlink_to("/etc/hostname")
    with pytest.raises(ToolResultInvalid, match="WORDS of the tool is not a regular file"):
        execution.publish(working, 1)
    assert published(folder) == (0, b"old")


def test_evidence_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "EVIDENCE_BYTES", 10)
    execution = ExecutionFolder(execution_folder(tmp_path))
    working = finished_run(execution, tmp_path / "run")
    leave(working, EVIDENCE_json=b"x" * 11)
    with pytest.raises(ToolOutputTooLarge, match=r"11 bytes, the limit is 10"):
        execution.publish(working, 1)


def test_a_document_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    (folder / "INFILE").unlink()
    with pytest.raises(FileMissing):
        ExecutionFolder(folder).copy_in(WorkingFolder(tmp_path / "run"))


def test_a_folder_without_permissions_is_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/") and "pytest" in str(parent):
            parent.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            working = WorkingFolder(tmp_path / "run")
            deep = working.data / "deep" / "exceeds_depth"
            deep.mkdir(parents=True)
            (deep / "file").touch()
            deep.chmod(0)
            deep.parent.chmod(0)
            working.remove()
            os._exit(0 if not working.root.exists() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
