"""Results of finished steps: a finished step is not run again after a crash, a stop or a failure.

A step's result is stored beside the working folders, under a key of everything it depends on::

    {storage root}/.steps/{organization}/{workflow}/
        {key}           what the step left as INFILE
        {key}.copies/   what is in COPY_TO_FOLDER since, if anything is
        {key}.WORDS     the words of the document, and likewise {key}.EVIDENCE.json, if there are any
        {key}.json      the verdict on the step, and the digests of these files
        {key}.counted   present once the usage of the step is reported

A result costs no space (it is made of hard links to what the step left, which is never written into) and no call. It is
removed when the file is COMPLETED and reported. Otherwise the backend's sweep removes it after STEP_RESULTS_SECONDS. A
damaged or half-written result counts as absent: the step runs again.
"""

# ruff: noqa: PTH103, PTH106, PTH108, PTH110, PTH112, PTH120, PTH123
# This code runs for every file of every run, and a path object costs more than the system call.

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from docfleet.core.execution import ExecutionContext
from docfleet.core.runs import RunState
from docfleet.core.storage import COPY_TO_FOLDER, INFILE, METADATA, SIDE_FILES, SOURCE, steps_folder

log = structlog.get_logger()

RECORD = ".json"
COPIES = ".copies"
COUNTED = ".counted"

_RUN_KEYS = ("execution_id", "file_execution_id", "workflow_start_time", "tool_metadata", "total_elapsed_time")
_DIGEST = 64


class StepRecord(msgspec.Struct, frozen=True):
    """A record, after its own digest: the verdict on the step, and the SHA-256 of its files by their relative name."""

    state: RunState
    files: dict[str, str]
    execution_id: str = ""


class FinishedStep(msgspec.Struct, frozen=True):
    """A step that need not run. ``counted``: its usage is reported. ``result`` is the path of its output."""

    state: RunState
    counted: bool
    result: Path


class StepResults:
    """The results of the steps of one file. ``metadata`` is METADATA.json: what the tools know about the file."""

    def __init__(self, root: Path, context: ExecutionContext, metadata: dict[str, Any]) -> None:
        self._metadata = metadata
        folder = steps_folder(root, context.organization_context.organization_id, context.execution.workflow_id)
        self.paths = [f"{folder}/{key}" for key in _keys(context, metadata)]
        """The path of each step's result, whether it exists or not."""

    def resume(self, folder: Path) -> list[FinishedStep]:
        """Put the result of the last step that is kept into ``folder``, as the runner would have left it. Returns the
        steps up to it, ``[]`` when the first one has to run."""
        finished: list[FinishedStep] = []
        for path in self.paths:
            record = _read(path)
            if record is None:
                break
            finished.append(FinishedStep(record.state, os.path.exists(path + COUNTED), Path(path)))
        if not finished:
            return []
        try:
            self._put(self.paths[len(finished) - 1], folder, [step.state for step in finished])
        except OSError as error:
            # Another worker with the same file removed it meanwhile, or the disk is full: the steps run again.
            log.warning("steps.not_resumed", error=str(error))
            self._reset(folder)
            return []
        log.info("steps.resumed", steps=len(finished))
        return finished

    def remove_others(self) -> None:
        """Remove the results of other executions."""
        for path in self.paths:
            record = _read(path)
            if record is None or record.execution_id != self._metadata["execution_id"]:
                remove(path)

    def keep(self, step: int, folder: Path, state: RunState) -> None:
        """Keep what ``step`` (from 1) left in ``folder``. Never raises: without it the step would only run again."""
        path = self.paths[step - 1]
        try:
            try:
                files = _copy(str(folder), path)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                files = _copy(str(folder), path)
            record = msgspec.json.encode(StepRecord(state, files, self._metadata["execution_id"]))
            # Written last: where the record is, everything is. Its digest shows whether it is complete, so it needs no
            # rename.
            with open(path + RECORD, "wb") as stream:
                stream.write(hashlib.sha256(record).hexdigest().encode() + record)
        except OSError as error:
            log.warning("step.not_kept", step=step, error=str(error))
            remove(path)

    def _put(self, path: str, folder: Path, states: list[RunState]) -> None:
        (folder / INFILE).unlink()
        _link(path, f"{folder}/{INFILE}")
        if os.path.isdir(path + COPIES):
            shutil.copytree(path + COPIES, folder / COPY_TO_FOLDER, copy_function=_link)
        for name in SIDE_FILES:
            if os.path.exists(f"{path}.{name}"):
                _link(f"{path}.{name}", f"{folder}/{name}")
        metadata = {
            **self._metadata,
            "tool_metadata": [state.tool_metadata for state in states],
            "total_elapsed_time": round(sum(_elapsed(state) for state in states), 6),
        }
        draft = folder / f".{METADATA}"
        draft.write_bytes(msgspec.json.encode(metadata))
        draft.rename(folder / METADATA)

    def _reset(self, folder: Path) -> None:
        shutil.rmtree(folder / COPY_TO_FOLDER, ignore_errors=True)
        for name in (INFILE, *SIDE_FILES):
            (folder / name).unlink(missing_ok=True)
        (folder / INFILE).hardlink_to(folder / SOURCE)
        (folder / METADATA).write_bytes(msgspec.json.encode(self._metadata))


def remove(path: str) -> None:
    """Remove a kept result; harmless when it is gone."""
    # The record first: without it the rest does not count.
    for name in (path + RECORD, path, path + COUNTED, *(f"{path}.{name}" for name in SIDE_FILES)):
        with contextlib.suppress(OSError):
            os.unlink(name)
    try:
        os.rmdir(path + COPIES)
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(path + COPIES, ignore_errors=True)


def note_counted(path: str) -> None:
    """Remember that the usage of a kept step is reported."""
    if os.path.exists(path):
        with contextlib.suppress(OSError), open(path + COUNTED, "wb"):
            pass


def _keys(context: ExecutionContext, metadata: dict[str, Any]) -> Iterator[str]:
    """One key per step, of everything its result depends on: content, what its tool knows about the file, the steps
    before it, tool, version and settings. Values that differ from run to run are left out."""
    seen = {name: value for name, value in metadata.items() if name not in _RUN_KEYS}
    chain = _digest(seen)
    for tool in context.tool_instances:
        chain = _digest([chain, tool.tool_id, tool.version, tool.metadata])
        yield chain


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def _elapsed(state: RunState) -> float:
    elapsed = state.tool_metadata.get("elapsed_time")
    return float(elapsed) if isinstance(elapsed, int | float) else 0.0


def _read(path: str) -> StepRecord | None:
    """The record, if every file is as it was written."""
    try:
        with open(path + RECORD, "rb") as stream:
            written = stream.read()
    except OSError:
        return None
    try:
        if hashlib.sha256(written[_DIGEST:]).hexdigest().encode() != written[:_DIGEST]:
            raise ValueError("the record is not as it was written")
        record = msgspec.json.decode(written[_DIGEST:], type=StepRecord)
        files = {INFILE: path} | _side_files(path) | _files(path + COPIES)
        if {name: _sha256(file) for name, file in files.items()} != record.files:
            raise ValueError("its files are not as they were written")
    except (OSError, ValueError) as error:  # a decoding error is a ValueError
        log.warning("step.damaged", error=str(error))
        remove(path)
        return None
    return record


def _copy(folder: str, path: str) -> dict[str, str]:
    """Hard-link what a step left in ``folder`` to ``path``. Returns the digests."""
    _link(f"{folder}/{INFILE}", path)
    digests = {INFILE: _sha256(path)}
    copies = _files(f"{folder}/{COPY_TO_FOLDER}")
    if copies:
        shutil.rmtree(path + COPIES, ignore_errors=True)
    for name in SIDE_FILES:
        source = f"{folder}/{name}"
        if os.path.exists(source):
            _link(source, f"{path}.{name}")
        else:  # one of another attempt does not belong to this result
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{path}.{name}")
    digests |= {name: _sha256(file) for name, file in _side_files(path).items()}
    for name, source in copies.items():
        target = f"{path}{COPIES}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _link(source, target)
        digests[name] = _sha256(target)
    return digests


def _side_files(path: str) -> dict[str, str]:
    """What is kept beside a result. The slash distinguishes their names from those of copies."""
    return {f"/{name}": f"{path}.{name}" for name in SIDE_FILES if os.path.exists(f"{path}.{name}")}


def _files(folder: str) -> dict[str, str]:
    """The regular files below ``folder`` by relative name; none when it is missing."""
    return {
        os.path.relpath(entry.path, folder): entry.path
        for entry in _walk(folder)
        if entry.is_file(follow_symlinks=False)
    }


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


def _sha256(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _link(source: str, target: str) -> None:
    """Make a hard link, or a copy where the storage has no hard links."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except FileExistsError:  # of another attempt, or damaged
        os.unlink(target)
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
