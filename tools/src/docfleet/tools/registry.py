"""Which tools exist: the built-in ones, those of installed packages, and those of a folder of descriptors."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from docfleet.core.errors import ConfigurationError, DocfleetError, ToolUnknown
from docfleet.tools import protocol
from docfleet.tools.protocol import Command
from docfleet.tools.schema import check_settings

if TYPE_CHECKING:
    from docfleet.tools.sdk import Tool

BUILTIN = ("classifier", "field_extractor", "passthrough", "text_extractor")
ENTRY_POINT_GROUP = "docfleet.tools"
_DESCRIBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ToolDescriptor:
    """One tool: how to start it (``command`` or a Python ``entry`` "module:attribute") and its own description."""

    tool_id: str
    version: str
    command: tuple[str, ...] | None
    entry: str | None
    spec: dict[str, Any]
    properties: dict[str, Any] = field(default_factory=dict)
    icon: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


def load_tool(entry: str) -> Tool:
    """The ``Tool`` object that ``entry`` ("module:attribute") names. Raises ``ConfigurationError``."""
    module, _, attribute = entry.partition(":")
    try:
        return cast("Tool", getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"tool {entry!r} cannot be imported: {error}") from error


class ToolRegistry:
    """All known tools by id."""

    def __init__(self, descriptors: dict[str, ToolDescriptor]) -> None:
        self._descriptors = descriptors

    @classmethod
    def load(cls, registry_path: Path | None = None) -> ToolRegistry:
        """Read the registry. ``registry_path`` is a folder of ``*.yaml`` and ``*.json`` descriptors::

            {"tool_id": "stamp", "command": ["/opt/stamp/stamp"]}
            {"tool_id": "stamp", "module": "stamp.tool:tool"}

        A built-in tool cannot be replaced. Raises ``ConfigurationError`` naming the file at fault.
        """
        from importlib.metadata import entry_points  # pulls in the email package

        descriptors = {tool_id: _builtin(tool_id) for tool_id in BUILTIN}
        for point in entry_points(group=ENTRY_POINT_GROUP):
            _add(descriptors, _from_module(point.name, point.value), f"entry point {point.name}")
        if registry_path is not None:
            if not registry_path.is_dir():
                raise ConfigurationError(f"tool registry {registry_path} is not a folder: create it or unset it")
            for path in sorted(registry_path.iterdir()):
                if path.suffix in (".yaml", ".yml", ".json"):
                    _add(descriptors, _from_file(path), str(path))
        return cls(descriptors)

    def __iter__(self) -> Any:
        return iter(self._descriptors.values())

    def __len__(self) -> int:
        return len(self._descriptors)

    def __contains__(self, tool_id: object) -> bool:
        return tool_id in self._descriptors

    def get(self, tool_id: str) -> ToolDescriptor:
        """The tool of this id. Raises ``ToolUnknown`` with the ids that exist."""
        try:
            return self._descriptors[tool_id]
        except KeyError:
            known = ", ".join(sorted(self._descriptors))
            raise ToolUnknown(f"there is no tool {tool_id!r}; known tools: {known}") from None

    def validate(self, tool_id: str, settings: dict[str, Any]) -> dict[str, Any]:
        """``settings`` with defaults filled in. Raises ``ToolUnknown``, ``ToolSettingsInvalid`` naming the setting."""
        return check_settings(tool_id, self.get(tool_id).spec, settings)


def _add(descriptors: dict[str, ToolDescriptor], descriptor: ToolDescriptor, origin: str) -> None:
    if descriptor.tool_id in descriptors:
        raise ConfigurationError(f"tool {descriptor.tool_id!r} of {origin} exists already: give it another tool_id")
    descriptors[descriptor.tool_id] = descriptor


def _described(tool_id: str, config_folder: Path, entry: str) -> ToolDescriptor:
    from importlib import metadata

    from docfleet.tools.sdk.tool import ToolConfig

    config = ToolConfig(config_folder)
    version = str(config.properties.get("toolVersion", "0"))
    if entry.startswith(f"{__package__}.builtin."):
        # Results of an earlier release are not taken up: what its readers and rules gave may have been wrong.
        version = f"{version}+{metadata.version('docfleet-tools')}"
    return ToolDescriptor(tool_id, version, None, entry, config.spec, config.properties, config.icon, config.variables)


def _builtin(tool_id: str) -> ToolDescriptor:
    # Only files are read: importing the tool's module would pull in its libraries.
    folder = Path(__file__).parent / "builtin" / tool_id / "config"
    return _described(tool_id, folder, f"docfleet.tools.builtin.{tool_id}.tool:tool")


def _from_module(tool_id: str, entry: str) -> ToolDescriptor:
    return _described(tool_id, load_tool(entry).config.folder, entry)


def _from_file(path: Path) -> ToolDescriptor:
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"tool descriptor {path} cannot be read: {error}") from error
    tool_id = content.get("tool_id") if isinstance(content, dict) else None
    if not isinstance(tool_id, str) or not tool_id:
        raise ConfigurationError(f"tool descriptor {path} names no tool_id")
    if "module" in content:
        return _from_module(tool_id, str(content["module"]))
    command = content.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise ConfigurationError(f"tool descriptor {path} needs a command (list of strings) or a module")
    if not Path(command[0]).is_absolute():
        raise ConfigurationError(f"tool descriptor {path}: the command has to begin with an absolute path")
    return _from_command(tool_id, tuple(command), path)


def _from_command(tool_id: str, command: tuple[str, ...], path: Path) -> ToolDescriptor:
    try:
        spec = json.loads(_describe(command, Command.SPEC))
        properties = json.loads(_describe(command, Command.PROPERTIES))
        variables = json.loads(_describe(command, Command.VARIABLES))
        icon = _describe(command, Command.ICON)
    except (OSError, ValueError, subprocess.SubprocessError, DocfleetError) as error:
        raise ConfigurationError(f"tool {tool_id!r} of {path} does not describe itself: {error}") from error
    return ToolDescriptor(
        tool_id, str(properties.get("toolVersion", "0")), command, None, spec, properties, icon, variables
    )


def _describe(command: tuple[str, ...], what: Command) -> str:
    done = subprocess.run(
        [*command, "--command", what.value],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DESCRIBE_SECONDS,
        check=True,
    )
    for line in done.stdout.splitlines():
        message = protocol.parse_line(line)
        if message is not None and hasattr(message, what.value.lower()):
            return str(getattr(message, what.value.lower()))
    raise ConfigurationError(f"--command {what} printed no {what} line")
