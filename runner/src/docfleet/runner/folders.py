"""The private folder of one run, the execution folder of its file, and the copies between them.

::

    root/               HOME and TMPDIR of the tool
        settings.json   the tool's settings, removed once the tool has read them
        data/           EXECUTION_DATA_DIR: INFILE SOURCE METADATA.json COPY_TO_FOLDER/ WORDS EVIDENCE.json

A result is published so that no crash leaves half of it::

    COPY_TO_FOLDER/*      each renamed into place; a repeated run would write the same ones
    WORDS EVIDENCE.json   likewise; evidence of a step before is removed where the result is another one
    .INFILE.<step>        the new INFILE, beside the old one
    .METADATA.<step>      its appearance is the commit
    INFILE                <- .INFILE.<step>
    METADATA.json         <- .METADATA.<step>; last: once it is there, everything is

Opening an execution folder first finishes a committed publication.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import secrets
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.errors import Conflict, FileMissing, NotFound, ToolOutputTooLarge, ToolResultInvalid
from docfleet.core.evidence import EVIDENCE_BYTES
from docfleet.core.storage import COPY_TO_FOLDER, EVIDENCE, INFILE, METADATA, SIDE_FILES, SOURCE, WORDS
from docfleet.tools.protocol import ToolMetadata, read_verdict

MAX_METADATA_BYTES = 16 * 1024**2

_Mark = tuple[int, int, int]


@dataclass(slots=True)
class WorkingFolder:
    """The private folder. ``marks`` lists the files that were copied in, so that only changes are published."""

    root: Path
    input_bytes: int = 0
    marks: dict[str, _Mark] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The folder the tool works in."""
        return self.root / "data"

    def put_settings(self, settings: dict[str, Any]) -> None:
        """Write the tool's settings for the child."""
        (self.root / "settings.json").write_bytes(msgspec.json.encode(settings))

    def take_settings(self) -> bytes:
        """The tool's settings as JSON; they are removed, because they may hold a secret."""
        path = self.root / "settings.json"
        settings = path.read_bytes()
        path.unlink()
        return settings

    def remove(self) -> None:
        """Remove everything, whatever permissions the tool left behind."""
        try:
            shutil.rmtree(self.root)
        except FileNotFoundError:
            return
        except OSError:
            for folder, names, _ in os.walk(self.root):
                for path in (Path(folder, name) for name in names):
                    if not path.is_symlink():
                        path.chmod(0o700)  # os.walk goes there next
            shutil.rmtree(self.root, ignore_errors=True)


class ExecutionFolder:
    """The execution folder of one file. Raises ``NotFound`` when there is none, ``Conflict`` without metadata."""

    def __init__(self, folder: Path) -> None:
        if folder.is_symlink() or not folder.is_dir():
            raise NotFound("there is no such execution folder on the runner's storage: check EXECUTION_STORAGE_ROOT")
        self.folder = folder
        self.metadata = self._read_metadata()
        if self._finish_publication(len(self.steps) + 1):
            self.metadata = self._read_metadata()

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The entries of the finished tools, in order."""
        entries = self.metadata.get("tool_metadata") or []
        return entries if isinstance(entries, list) else []

    def _read_metadata(self) -> dict[str, Any]:
        try:
            metadata = msgspec.json.decode((self.folder / METADATA).read_bytes())
        except FileNotFoundError as error:
            raise Conflict(f"the execution folder holds no {METADATA}: prepare it before the run") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Conflict(f"{METADATA} of the execution folder is not valid JSON: {error}") from error
        if not isinstance(metadata, dict):
            raise Conflict(f"{METADATA} of the execution folder is not a JSON object")
        return metadata

    def published(self, step: int) -> dict[str, Any] | None:
        """The entry of ``step`` if it is published already. Raises ``Conflict`` when an earlier one is missing."""
        done = len(self.steps)
        if done >= step:
            return self.steps[step - 1]
        if done < step - 1:
            raise Conflict(f"step {step} cannot run: the execution folder holds the results of {done} steps")
        return None

    def copy_in(self, working: WorkingFolder) -> None:
        """Make the private folder, with copies of all a tool may read. Raises ``FileMissing`` without INFILE."""
        working.root.mkdir(mode=0o700)
        working.data.mkdir(mode=0o700)
        for name in (METADATA, INFILE, SOURCE, WORDS):
            try:
                shutil.copyfile(self.folder / name, working.data / name)
            except FileNotFoundError as error:
                if name == INFILE:
                    raise FileMissing(f"the document is gone from the execution folder ({INFILE})") from error
                continue
            status = (working.data / name).stat()
            working.input_bytes += status.st_size
            if name == WORDS:
                working.marks[name] = _mark(status)
        if (self.folder / COPY_TO_FOLDER).is_dir():
            shutil.copytree(self.folder / COPY_TO_FOLDER, working.data / COPY_TO_FOLDER, copy_function=shutil.copyfile)
            for relative, status in _files(working.data):
                working.marks[relative] = _mark(status)
                working.input_bytes += status.st_size

    def publish(self, working: WorkingFolder, step: int) -> dict[str, Any]:
        """Publish the result of a tool that exited with 0, and return its metadata entry.

        Raises ``ToolResultInvalid``: then nothing was changed.
        """
        _check_metadata_file(working.data / METADATA)
        beside = _side_files(working)
        verdict: ToolMetadata = read_verdict(working.data, step - 1)
        entry: dict[str, Any] = msgspec.to_builtins(verdict)
        copied = [name for name, status in _files(working.data) if working.marks.get(name) != _mark(status)]
        # Only the tool's own entry is taken: a tool cannot rewrite the other metadata of the file.
        metadata = dict(self.metadata)
        metadata["tool_metadata"] = [*self.steps, entry]
        elapsed = metadata.get("total_elapsed_time") or 0
        metadata["total_elapsed_time"] = round((elapsed if isinstance(elapsed, int | float) else 0)
                                               + verdict.elapsed_time, 6)  # fmt: skip
        mode = stat.S_IMODE((self.folder / METADATA).stat().st_mode)
        evidence = self.folder / EVIDENCE
        is_old = EVIDENCE not in beside and evidence.exists()
        if is_old and not filecmp.cmp(working.data / INFILE, self.folder / INFILE, shallow=False):
            evidence.unlink(missing_ok=True)
        for name in (*copied, *beside):
            self._place(working.data / name, self.folder / name, mode)
        self._place(working.data / INFILE, self.folder / f".{INFILE}.{step}", mode)
        committing = working.root / METADATA
        committing.write_bytes(msgspec.json.encode(metadata))
        self._place(committing, self.folder / f".{METADATA}.{step}", mode)
        self._finish_publication(step)
        self.metadata = metadata
        return entry

    def _place(self, source: Path, target: Path, mode: int) -> None:
        source.chmod(mode)
        if target.parent != self.folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Another file system: copy to a temporary name on the right one first.
            partial = self.folder / f".partial-{secrets.token_hex(6)}"
            shutil.copyfile(source, partial)
            partial.chmod(mode)
            partial.rename(target)

    def _finish_publication(self, step: int) -> bool:
        committed = self.folder / f".{METADATA}.{step}"
        if not committed.exists():
            return False
        with contextlib.suppress(FileNotFoundError):  # done by an earlier attempt
            (self.folder / f".{INFILE}.{step}").rename(self.folder / INFILE)
        committed.rename(self.folder / METADATA)
        return True


def _check_metadata_file(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return  # ``read_verdict`` has the better message
    if not stat.S_ISREG(status.st_mode):
        raise ToolResultInvalid(f"{METADATA} of the tool is not a regular file")
    if status.st_size > MAX_METADATA_BYTES:
        raise ToolResultInvalid(f"{METADATA} of the tool has more than {MAX_METADATA_BYTES} bytes")


def _side_files(working: WorkingFolder) -> list[str]:
    """The names of what the tool left beside its result, and is new."""
    names = []
    for name in SIDE_FILES:
        try:
            status = (working.data / name).lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode):
            raise ToolResultInvalid(f"{name} of the tool is not a regular file")
        if name == EVIDENCE and status.st_size > EVIDENCE_BYTES:
            raise ToolOutputTooLarge(
                f"{name} of the tool has {status.st_size:,} bytes, the limit is {EVIDENCE_BYTES:,}: split the document"
            )
        if working.marks.get(name) != _mark(status):
            names.append(name)
    return names


def _mark(status: os.stat_result) -> _Mark:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _files(folder: Path) -> list[tuple[str, os.stat_result]]:
    # Relative names of the files below COPY_TO_FOLDER. Anything but files and folders is refused.
    files: list[tuple[str, os.stat_result]] = []
    pending = [COPY_TO_FOLDER]
    while pending:
        relative = pending.pop()
        if relative == COPY_TO_FOLDER and not os.path.lexists(folder / relative):
            break
        if not stat.S_ISDIR((folder / relative).lstat().st_mode):
            raise ToolResultInvalid(f"the tool replaced the folder {COPY_TO_FOLDER} by something else")
        with os.scandir(folder / relative) as listing:
            for entry in listing:
                name = f"{relative}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif entry.is_file(follow_symlinks=False):
                    files.append((name, entry.stat(follow_symlinks=False)))
                else:
                    kind = "a symbolic link" if entry.is_symlink() else "something that is no file"
                    raise ToolResultInvalid(f"the tool left {kind} in its result: {name!r:.200}")
    return files
