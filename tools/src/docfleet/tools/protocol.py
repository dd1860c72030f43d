"""The tool protocol: the commands of a tool, the lines it prints, the files it leaves in its folder.

A tool is any executable that understands::

    TOOL --command SPEC|PROPERTIES|ICON|VARIABLES|RUN [--settings JSON] [--log-level LEVEL]

Its standard output is one JSON object per line, each with ``type`` and ``emitted_at`` (UTC, ISO 8601). The lines are
telemetry. The verdict of a RUN is the exit code together with what the tool left in its folder, which the runner
names in ``EXECUTION_DATA_DIR``: see ``read_verdict``.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.errors import ToolResultInvalid
from docfleet.core.nesting import MAX_DEPTH, exceeds_depth
from docfleet.core.storage import INFILE, METADATA

EXECUTION_DATA_DIR = "EXECUTION_DATA_DIR"
TOOL_RUN_STAGE = "TOOL_RUN"


class Command(enum.StrEnum):
    """The commands of a tool."""

    SPEC = "SPEC"
    PROPERTIES = "PROPERTIES"
    ICON = "ICON"
    VARIABLES = "VARIABLES"
    RUN = "RUN"


class OutputType(enum.StrEnum):
    """What INFILE holds after a run."""

    JSON = "JSON"
    TXT = "TXT"


class ToolLogLevel(enum.StrEnum):
    """How serious a LOG line is, in rising order."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    FATAL = "FATAL"

    @property
    def rank(self) -> int:
        """Position in the order above; 0 is the least serious."""
        return list(ToolLogLevel).index(self)


def utc_now() -> str:
    """The current time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()


class ToolMessage(msgspec.Struct, tag_field="type", kw_only=True, omit_defaults=True):
    """One line of a tool's standard output."""

    emitted_at: str = ""


class SpecMessage(ToolMessage, tag="SPEC"):
    """The JSON schema of the settings, as a JSON string."""

    spec: str


class PropertiesMessage(ToolMessage, tag="PROPERTIES"):
    """The properties (name, version, restrictions, ...), as a JSON string."""

    properties: str


class VariablesMessage(ToolMessage, tag="VARIABLES"):
    """The environment variables a tool reads, as a JSON string."""

    variables: str


class IconMessage(ToolMessage, tag="ICON"):
    """The icon, as SVG text."""

    icon: str


class LogMessage(ToolMessage, tag="LOG"):
    """A line for the log. The ERROR line of a failed run carries ``error_code`` (``docfleet.core.errors``)."""

    log: str
    level: ToolLogLevel = ToolLogLevel.INFO
    stage: str = TOOL_RUN_STAGE
    error_code: str | None = None


class UpdateMessage(ToolMessage, tag="UPDATE"):
    """A change a user may want to see: ``state`` is INPUT_UPDATE, OUTPUT_UPDATE, ..."""

    state: str
    message: str = ""


class ProgressMessage(ToolMessage, tag="PROGRESS"):
    """``done`` of ``total`` pages are read (0: the total is unknown). A run that reports pages may take longer."""

    done: int
    total: int = 0


class CostMessage(ToolMessage, tag="COST"):
    """What the run cost."""

    cost: float
    cost_units: str


class SingleStepMessage(ToolMessage, tag="SINGLE_STEP_MESSAGE"):
    """Text for a person who runs the workflow step by step."""

    message: str


class ResultMessage(ToolMessage, tag="RESULT"):
    """Printed after the result is on disk: ``workflow_id``, ``elapsed_time`` and ``output_type``; never the content."""

    result: dict[str, Any]


AnyMessage = (
    SpecMessage
    | PropertiesMessage
    | VariablesMessage
    | IconMessage
    | LogMessage
    | UpdateMessage
    | ProgressMessage
    | CostMessage
    | SingleStepMessage
    | ResultMessage
)

_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def parse_line(line: bytes) -> AnyMessage | None:
    """The message on this line, or None when it is not one (a tool may print anything)."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def encode_line(message: ToolMessage) -> bytes:
    """The message as one line, stamped with the current time when it has no stamp."""
    if not message.emitted_at:
        message.emitted_at = utc_now()
    return msgspec.json.encode(message) + b"\n"


class ToolMetadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The entry of one finished tool; ``elapsed_time`` and ``cpu_seconds`` in seconds, ``pages`` read, ``usage`` free
    counters."""

    tool_name: str
    elapsed_time: float
    output_type: OutputType
    cpu_seconds: float = 0.0
    pages: int = 0
    usage: dict[str, Any] = {}


class RunMetadata(msgspec.Struct, kw_only=True):
    """METADATA.json: written by the runner, one entry of ``tool_metadata`` added by each tool that succeeded.

    Code that writes the file works on the plain dict, because this type drops unknown keys.
    """

    source_name: str = ""
    source_hash: str = ""
    organization_id: str = ""
    workflow_id: str = ""
    execution_id: str = ""
    file_execution_id: str = ""
    tags: list[str] = []
    workflow_start_time: float | str | None = None
    steps: int = 0
    """How many tools the workflow has; 0 where that is not known."""
    tool_metadata: list[ToolMetadata] = []
    total_elapsed_time: float = 0.0


def load_metadata(folder: Path) -> RunMetadata:
    """METADATA.json of this folder. Raises ``ToolResultInvalid`` when it is missing or malformed."""
    path = folder / METADATA
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunMetadata)
    except FileNotFoundError as error:
        raise ToolResultInvalid(f"the tool's folder holds no {METADATA}") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ToolResultInvalid(f"{METADATA} of the tool cannot be read: {error}") from error


def read_verdict(folder: Path, steps_before: int) -> ToolMetadata:
    """The entry of the tool that just exited with 0 about its result.

    ``steps_before`` is the number of ``tool_metadata`` entries before the run. Raises ``ToolResultInvalid`` naming
    the fault: METADATA.json missing or malformed, not exactly one entry more, INFILE missing, or an INFILE that
    the tool calls JSON and that is not.
    """
    metadata = load_metadata(folder)
    added = len(metadata.tool_metadata) - steps_before
    if added != 1:
        raise ToolResultInvalid(
            f"the tool ended with exit code 0 but recorded {added} results in {METADATA} instead of one"
        )
    entry = metadata.tool_metadata[-1]
    if exceeds_depth(entry.usage):
        raise ToolResultInvalid(f"the tool's usage counters are nested more than {MAX_DEPTH} levels deep")
    infile = folder / INFILE
    if infile.is_symlink() or not infile.is_file():
        raise ToolResultInvalid(f"the tool left no {INFILE}, which should hold its output")
    if entry.output_type is OutputType.JSON:
        try:
            content = infile.read_bytes()
            msgspec.json.decode(content, type=msgspec.Raw)  # checks the syntax without building the objects
            content.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ToolResultInvalid(f"the tool's output is declared JSON but does not parse: {error}") from error
    return entry
