"""Results of finished steps: a step that was paid for is not run again after a crash, a stop or a failure.

A step's result is kept under a key of all that it depends on, beside the working folders::

    {storage root}/.steps/{organization}/{workflow}/
        {key}           what the step left as INFILE
        {key}.copies/   what is in COPY_TO_FOLDER since, if anything is
        {key}.json      the verdict on the step, and the digests of these files
        {key}.counted   present once the usage of the step is reported

A result takes no space of its own (hard links to what the step left, which is never written into) and no call. It is
removed when the file is COMPLETED and reported; else the backend's sweep removes it after STEP_RESULTS_SECONDS. A
damaged or half-written result counts as absent: the step runs again.
"""

# ruff: noqa: PTH103, PTH106, PTH108, PTH110, PTH112, PTH120, PTH123
# Every file of every run comes here, and a path object costs more than the system call.

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
from docfleet.core.storage import COPY_TO_FOLDER, INFILE, METADATA, SOURCE, steps_folder

log = structlog.get_logger()

RECORD = ".json"
COPIES = ".copies"
COUNTED = ".counted"

_OF_ONE_RUN = ("execution_id", "file_execution_id", "workflow_start_time", "tool_metadata", "total_elapsed_time")
_DIGEST = 64


class StepRecord(msgspec.Struct, frozen=True):
    """A record, after its own digest: the verdict on the step, and the SHA-256 of its files by their relative name."""

    state: RunState
    files: dict[str, str]
    execution_id: str = ""


class Finished(msgspec.Struct, frozen=True):
    """A step that need not run. ``counted``: its usage is reported. ``result`` is what it left as INFILE."""

    state: RunState
    counted: bool
    result: Path


class StepResults:
    """The results of the steps of one file. ``metadata`` is METADATA.json: what the tools know about the file."""

    def __init__(self, root: Path, context: ExecutionContext, metadata: dict[str, Any]) -> None:
        self._metadata = metadata
        folder = steps_folder(root, context.organization_context.organization_id, context.execution.workflow_id)
        self.places = [f"{folder}/{key}" for key in _keys(context, metadata)]
        """Where the result of each step is, or would be."""

    def resume(self, folder: Path) -> list[Finished]:
        """Put the result of the last step that is kept into ``folder``, as the runner would have left it; the steps
        up to it, ``[]`` when the first one has to run."""
        finished: list[Finished] = []
        for place in self.places:
            record = _read(place)
            if record is None:
                break
            finished.append(Finished(record.state, os.path.exists(place + COUNTED), Path(place)))
        if not finished:
            return []
        try:
            self._put(self.places[len(finished) - 1], folder, [step.state for step in finished])
        except OSError as error:
            # Another worker with the same file removed it meanwhile, or the disk is full: the steps run again.
            log.warning("steps.not_resumed", error=str(error))
            self._reset(folder)
            return []
        log.info("steps.resumed", steps=len(finished))
        return finished

    def forget_others(self) -> None:
        """Remove what other executions have left."""
        for place in self.places:
            record = _read(place)
            if record is None or record.execution_id != self._metadata["execution_id"]:
                remove(place)

    def keep(self, step: int, folder: Path, state: RunState) -> None:
        """Keep what ``step`` (from 1) left in ``folder``. Never raises: without it the step would only run again."""
        place = self.places[step - 1]
        try:
            try:
                files = _copy(str(folder), place)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                files = _copy(str(folder), place)
            record = msgspec.json.encode(StepRecord(state, files, self._metadata["execution_id"]))
            # Last: where the record is, everything is. Its digest shows whether it is complete, so it needs no rename.
            with open(place + RECORD, "wb") as stream:
                stream.write(hashlib.sha256(record).hexdigest().encode() + record)
        except OSError as error:
            log.warning("step.not_kept", step=step, error=str(error))
            remove(place)

    def _put(self, place: str, folder: Path, states: list[RunState]) -> None:
        (folder / INFILE).unlink()
        _link(place, f"{folder}/{INFILE}")
        if os.path.isdir(place + COPIES):
            shutil.copytree(place + COPIES, folder / COPY_TO_FOLDER, copy_function=_link)
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
        (folder / INFILE).unlink(missing_ok=True)
        (folder / INFILE).hardlink_to(folder / SOURCE)
        (folder / METADATA).write_bytes(msgspec.json.encode(self._metadata))


def remove(place: str) -> None:
    """Remove a kept result; harmless when it is gone."""
    # The record first: without it the rest does not count.
    for name in (place + RECORD, place, place + COUNTED):
        with contextlib.suppress(OSError):
            os.unlink(name)
    try:
        os.rmdir(place + COPIES)
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(place + COPIES, ignore_errors=True)


def note_counted(place: str) -> None:
    """Remember that the usage of a kept step is reported."""
    if os.path.exists(place):
        with contextlib.suppress(OSError), open(place + COUNTED, "wb"):
            pass


def _keys(context: ExecutionContext, metadata: dict[str, Any]) -> Iterator[str]:
    """One key per step, of all that its result depends on: content, what its tool knows about the file, the steps
    before it, tool, version and settings. What differs from run to run is left out."""
    seen = {name: value for name, value in metadata.items() if name not in _OF_ONE_RUN}
    chain = _digest(seen)
    for tool in context.tool_instances:
        chain = _digest([chain, tool.tool_id, tool.version, tool.metadata])
        yield chain


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def _elapsed(state: RunState) -> float:
    elapsed = state.tool_metadata.get("elapsed_time")
    return float(elapsed) if isinstance(elapsed, int | float) else 0.0


def _read(place: str) -> StepRecord | None:
    """The record, if every file is as it was written."""
    try:
        with open(place + RECORD, "rb") as stream:
            written = stream.read()
    except OSError:
        return None
    try:
        if hashlib.sha256(written[_DIGEST:]).hexdigest().encode() != written[:_DIGEST]:
            raise ValueError("the record is not as it was written")
        record = msgspec.json.decode(written[_DIGEST:], type=StepRecord)
        files = {INFILE: place} | _files(place + COPIES)
        if {name: _sha256(path) for name, path in files.items()} != record.files:
            raise ValueError("its files are not as they were written")
    except (OSError, ValueError) as error:  # a decoding error is a ValueError
        log.warning("step.damaged", error=str(error))
        remove(place)
        return None
    return record


def _copy(folder: str, place: str) -> dict[str, str]:
    """Give what a step left in ``folder`` second names at ``place``; the digests."""
    _link(f"{folder}/{INFILE}", place)
    digests = {INFILE: _sha256(place)}
    copies = _files(f"{folder}/{COPY_TO_FOLDER}")
    if copies:
        shutil.rmtree(place + COPIES, ignore_errors=True)
    for name, path in copies.items():
        target = f"{place}{COPIES}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _link(path, target)
        digests[name] = _sha256(target)
    return digests


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
    """Give the file a second name, and a copy where the storage has no hard links."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except FileExistsError:  # of another attempt, or damaged
        os.unlink(target)
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
