"""What a tool knows about its run, and the lines it writes for users."""

from __future__ import annotations

import shutil
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from docfleet.core.storage import COPY_TO_FOLDER, INFILE, SOURCE, WORDS
from docfleet.tools import protocol
from docfleet.tools.protocol import (
    CostMessage,
    LogMessage,
    ProgressMessage,
    RunMetadata,
    SingleStepMessage,
    ToolLogLevel,
    ToolMessage,
    UpdateMessage,
)

if TYPE_CHECKING:
    from docfleet.tools.sdk.words import Page

NAME_BYTES = 255
PROGRESS_SECONDS = 0.5
"""At most one line of progress in this time."""


def emit(message: ToolMessage) -> None:
    """Print one protocol line at once (a killed tool must not lose its last lines in a buffer)."""
    sys.stdout.buffer.write(protocol.encode_line(message))
    sys.stdout.buffer.flush()


def safe_name(name: str) -> str:
    """A file name that stays in its folder and fits a file system: last path part, no NUL, at most 255 bytes.

    Spaces, quotes, newlines and any script are kept. An over-long name keeps its suffix.
    """
    name = name.rsplit("/", 1)[-1].replace("\0", "")
    if name in ("", ".", ".."):
        return "document"
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) <= NAME_BYTES:
        return name
    suffix = Path(name).suffix.encode("utf-8", "surrogateescape")[:32]
    return raw[: NAME_BYTES - len(suffix)].decode("utf-8", "ignore") + suffix.decode("utf-8", "ignore")


class RunContext:
    """One run: its folder, the document's name, earlier results, and the lines to print."""

    def __init__(self, folder: Path, metadata: RunMetadata, log_level: ToolLogLevel = ToolLogLevel.INFO) -> None:
        self.folder = folder
        self.metadata = metadata
        self._log_level = log_level
        self._reported = float("-inf")

    @property
    def input_path(self) -> Path:
        """The document in the first step, the last tool's output afterwards."""
        return self.folder / INFILE

    @property
    def source_path(self) -> Path:
        """The document itself, in every step (INFILE when the runner kept no copy)."""
        source = self.folder / SOURCE
        return source if source.exists() else self.input_path

    @property
    def source_name(self) -> str:
        """The document's file name, as its owner gave it."""
        return self.metadata.source_name or SOURCE

    @property
    def is_first_step(self) -> bool:
        """Whether INFILE still is the document."""
        return not self.metadata.tool_metadata

    @cached_property
    def source_mime(self) -> str:
        """MIME type of the document, by content first, by name where the content is ambiguous."""
        from docfleet.tools.sdk.media import detect

        return detect(self.source_path, self.source_name)

    @cached_property
    def input_mime(self) -> str:
        """MIME type of INFILE."""
        from docfleet.tools.sdk.media import detect

        return self.source_mime if self.is_first_step else detect(self.input_path, "")

    @cached_property
    def words(self) -> list[Page]:
        """The pages of the document with their words, as an earlier tool left them; none where no tool did."""
        from docfleet.tools.sdk import words

        try:
            return words.load(self.folder / WORDS)
        except ValueError as error:
            self.log(f"the places of the words are not known: {error}", ToolLogLevel.WARN)
            return []

    @property
    def is_last_step(self) -> bool:
        """Whether no tool follows; False where that is not known."""
        return 0 < self.metadata.steps <= len(self.metadata.tool_metadata) + 1

    def copy_source(self, *folders: str) -> Path:
        """Copy the document to ``COPY_TO_FOLDER/<folders>/<its name>`` for a file-system destination."""
        target = self.folder.joinpath(COPY_TO_FOLDER, *(safe_name(part) for part in folders))
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(self.source_path, target / safe_name(self.source_name)))

    def log(self, text: str, level: ToolLogLevel = ToolLogLevel.INFO) -> None:
        """A line for the log, when ``level`` is at least the requested level."""
        if level.rank >= self._log_level.rank:
            emit(LogMessage(log=text, level=level))

    def update(self, state: str, message: str = "") -> None:
        """Report a change: INPUT_UPDATE, OUTPUT_UPDATE, ..."""
        emit(UpdateMessage(state=state, message=message))

    def progress(self, done: int, total: int = 0) -> None:
        """Report that ``done`` of ``total`` pages are read (0: unknown): a run that comes forward may take longer.
        Call it after each page; most calls print nothing."""
        now = time.monotonic()
        if now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            emit(ProgressMessage(done=done, total=total))

    def cost(self, cost: float, cost_units: str) -> None:
        """Report the cost of the run so far."""
        emit(CostMessage(cost=cost, cost_units=cost_units))

    def single_step(self, message: str) -> None:
        """Report to a user who steps through the workflow."""
        emit(SingleStepMessage(message=message))
