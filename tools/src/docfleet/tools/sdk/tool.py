"""A tool: a folder of configuration and one method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core import json_schema
from docfleet.core.errors import ConfigurationError
from docfleet.tools.protocol import OutputType

if TYPE_CHECKING:
    from docfleet.core.evidence import DocumentEvidence
    from docfleet.tools.sdk.context import RunContext
    from docfleet.tools.sdk.words import Page


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a run produced: text for ``TXT``, a JSON-safe object or list for ``JSON``."""

    output: dict[str, Any] | list[Any] | str
    output_type: OutputType
    pages: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    words: Sequence[Page] | None = None
    """The words of the document for later tools, where this tool has read them (``RunContext.words``)."""
    evidence: DocumentEvidence | None = None
    """Where the values of the output stand in the document, by JSON Pointer."""


@dataclass(frozen=True)
class ToolConfig:
    """The ``config`` folder of a tool, read on first use."""

    folder: Path

    @cached_property
    def spec(self) -> dict[str, Any]:
        """JSON schema of the settings (spec.json)."""
        return self._object("spec.json")

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Name, version, restrictions, ... (properties.json)."""
        return self._object("properties.json")

    @cached_property
    def variables(self) -> dict[str, Any]:
        """Environment variables the tool reads (runtime_variables.json; none when the file is absent)."""
        return self._object("runtime_variables.json") if (self.folder / "runtime_variables.json").exists() else {}

    @cached_property
    def icon(self) -> str:
        """SVG text (icon.svg; empty when the file is absent)."""
        path = self.folder / "icon.svg"
        return path.read_text("utf-8") if path.exists() else ""

    def _object(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the tool's {name} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise ConfigurationError(f"the tool's {name} has to hold a JSON object")
        return value


class Tool:
    """Derive from this, put ``config/`` beside the module that defines the class, and write ``run``."""

    def __init__(self, config_folder: Path) -> None:
        self.config = ToolConfig(config_folder)

    @property
    def name(self) -> str:
        """``functionName`` of the properties: what ``tool_metadata`` calls this tool."""
        return str(self.config.properties["functionName"])

    def preload(self) -> None:
        """Import what ``run`` needs. Called once in a process that forks a child for each run; opens nothing."""
        # Every run validates its settings, and jsonschema is the most expensive import of the SDK.
        json_schema.preload()

    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        """Read ``context.input_path`` and return the result. ``settings`` are valid and complete.

        Raise a class of ``docfleet.core.errors`` whose message names the cause and the remedy.
        """
        raise NotImplementedError
