"""Reads a workflow file: YAML with a source, tools and a destination.

::

    workflow:    {name: invoices, description: "", use_file_history: true}
    source:      {connector: local, settings: {path: ./samples}, fileExtensions: ["*"], maxFiles: 1000}
    tools:       [{tool: text_extractor, settings: {}}]
    destination: {connector: sqlite, settings: {path: ./out/invoices.db}, table: invoices}

Instead of ``source`` and ``destination``, ``api: {name: invoices}`` publishes it: files come with a call, results go
to the caller. ``pipeline: {name: nightly}`` makes a workflow with a source and a destination a pipeline that can be
triggered. ``pipeline: {name: nightly, schedule: {cron: 30 2 * * *, timeZone: Europe/Berlin}}`` also runs by itself.

Both may have ``notifications: [{name: ops, provider: slack, settings: {url: https://...}}]``: who is notified when a
run ends.

``${NAME}`` in a value is that variable of the environment, and ``${file:PATH}`` the content of a file (see
``variables``).

Relative paths are relative to the file. What a connector or a tool takes is checked by the backend, which knows them.
"""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from docfleet.cli.variables import Variables
from docfleet.core.errors import InvalidInput
from docfleet.core.management import MAX_REQUEST_BYTES
from docfleet.core.masking import mask_text
from docfleet.core.names import API_CONNECTOR, ApiName, GivenName
from docfleet.core.readable_errors import readable_error
from docfleet.core.schedule import Schedule
from docfleet.core.settings import environment

PATH_SETTING = "path"
_LOCATION = re.compile(r"\s*-\s*at `\$(?P<path>[^`]*)`")
_QUOTED = re.compile(r"[`'\"](\w+)[`'\"]")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_QUOTED_WORD = re.compile(r" '[^'<]{2,}'")
MAX_NODES = 100_000
"""The most nodes of a file. An alias counts each time it is used."""


class WorkflowFileInvalid(InvalidInput):
    """The workflow file is not valid."""

    code = "workflow_file_invalid"


class EndpointSection(msgspec.Struct):
    """``source`` or ``destination``; its other keys are the endpoint's own and are passed on as they are."""

    connector: str
    settings: dict[str, Any] = {}


class ToolEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of ``tools``."""

    tool: str
    settings: dict[str, Any] = {}


class WorkflowSection(msgspec.Struct, forbid_unknown_fields=True):
    """The ``workflow`` section."""

    name: GivenName
    description: str = ""
    use_file_history: bool = True
    max_file_execution_count: int | None = None
    manual_review: dict[str, Any] | None = None


class NotificationEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of ``notifications``. What a provider takes is checked by the backend, which knows it."""

    name: GivenName
    provider: str
    settings: dict[str, Any] = {}
    events: list[str] | None = None
    notify_on_failures: bool = False
    club_seconds: Annotated[float, msgspec.Meta(ge=0, le=7200)] = 0
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    is_active: bool = True

    def document(self, about: dict[str, str]) -> dict[str, Any]:
        """As the management API takes it; ``about`` is its pipeline or API."""
        built = msgspec.to_builtins(self)
        return {**about, **{key: value for key, value in built.items() if value is not None}}


class ApiSection(msgspec.Struct, forbid_unknown_fields=True):
    """The ``api`` section: under which name the workflow is called."""

    name: ApiName
    display_name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    is_active: bool = True
    notifications: list[NotificationEntry] = []


class PipelineSection(msgspec.Struct, forbid_unknown_fields=True):
    """The ``pipeline`` section."""

    name: GivenName
    active: bool = True
    schedule: Schedule | None = None
    notifications: list[NotificationEntry] = []


class _Sections(msgspec.Struct, forbid_unknown_fields=True):
    workflow: WorkflowSection
    source: EndpointSection | None = None
    destination: EndpointSection | None = None
    tools: list[ToolEntry] = []
    api: ApiSection | None = None
    pipeline: PipelineSection | None = None


class WorkflowFile(msgspec.Struct):
    """A workflow as the management API takes it (``document``), all paths absolute, and how it is published."""

    path: Path
    name: str
    document: dict[str, Any]
    use_file_history: bool
    lines: dict[tuple[str, ...], int] = {}
    api: ApiSection | None = None
    pipeline: PipelineSection | None = None

    def explain(self, fault: str, part: tuple[str, ...] = ()) -> str:
        """A fault that the backend reported, with the file and the line: that of a word which the fault quotes, within
        ``part`` of the file, else the first line of that part."""
        words = set(_QUOTED.findall(fault))
        inside = ((at, line) for at, line in self.lines.items() if at[: len(part)] == part)
        begins = self.lines.get(part) if part else None
        line = next((line for at, line in inside if at and at[-1] in words), begins)
        return f"{self.path}{f', line {line}' if line else ''}: {mask_text(fault)}"

    @property
    def destination(self) -> dict[str, Any]:
        """The destination's connector, settings and configuration."""
        section: dict[str, Any] = self.document["destination"]
        return section


def read_workflow(path: Path, *, source: Path | None = None, output: Path | None = None) -> WorkflowFile:
    """Read and check the file. ``source`` and ``output`` take the place of the endpoints' paths.

    Raises ``WorkflowFileInvalid`` naming the file, the line and the field.
    """
    document, lines = _read(path)
    try:
        checked = msgspec.convert(document, _Sections)
    except msgspec.ValidationError as error:
        raise WorkflowFileInvalid(_explain(path, str(error), lines, _Sections)) from error
    _check_endpoints(path, checked, lines)
    _check_notifications(path, checked, lines)
    folder = path.absolute().parent
    endpoint = {"connector": API_CONNECTOR}
    body = {
        **{key: value for key, value in document["workflow"].items() if value is not None},
        "source": endpoint if checked.api else _resolved(document["source"], folder, source),
        "tools": [{"tool": step.tool, "settings": step.settings} for step in checked.tools],
        "destination": endpoint if checked.api else _resolved(document["destination"], folder, output),
    }
    return WorkflowFile(
        path, checked.workflow.name, body, checked.workflow.use_file_history, lines, checked.api, checked.pipeline
    )


def read_endpoints(path: Path) -> dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]:
    """The source and the destination of a workflow file, or the one endpoint of a file that has ``connector`` and
    ``settings`` at its top.

    Raises ``WorkflowFileInvalid`` naming the file, the line and the field.
    """
    document, lines = _read(path)
    if "connector" not in document:
        workflow = read_workflow(path).document
        return workflow["source"], workflow["destination"]
    try:
        msgspec.convert(document, EndpointSection)
    except msgspec.ValidationError as error:
        raise WorkflowFileInvalid(_explain(path, str(error), lines, EndpointSection)) from error
    return _resolved(document, path.absolute().parent, None)


def _read(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The document of a file with its variables put in, and the line of each field."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_REQUEST_BYTES + 1)
        if len(content) > MAX_REQUEST_BYTES:
            raise WorkflowFileInvalid(f"{path}: a workflow file has at most {MAX_REQUEST_BYTES} bytes: make it smaller")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise WorkflowFileInvalid(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkflowFileInvalid(f"{path}: not a text file in UTF-8 (byte {error.start})") from error
    lines: dict[tuple[str, ...], int] = {}
    return _parse(path, text, lines), lines


def _check_endpoints(path: Path, file: _Sections, lines: dict[tuple[str, ...], int]) -> None:
    given = {"source": file.source, "destination": file.destination}
    if file.api is None:
        for name, endpoint in given.items():
            if endpoint is None:
                raise WorkflowFileInvalid(f"{path}, line 1: object missing required field {name} (an API has none)")
        return
    if file.pipeline is not None:
        line = lines[("pipeline",)]
        raise WorkflowFileInvalid(f"{path}, line {line}: pipeline: an API is called, not triggered; remove one of them")
    for name, endpoint in given.items():
        if endpoint is not None and endpoint.connector != API_CONNECTOR:
            raise WorkflowFileInvalid(
                f"{path}, line {lines[(name,)]}: {name}: files of an API come with the call and results go to the "
                f"caller; remove {name}, or the section api"
            )


def _check_notifications(path: Path, file: _Sections, lines: dict[tuple[str, ...], int]) -> None:
    """Refuse two notifications of one name: each would overwrite the other."""
    section, published = ("api", file.api) if file.api else ("pipeline", file.pipeline)
    names: set[str] = set()
    for index, notification in enumerate(published.notifications if published else []):
        if notification.name in names:
            line = lines[(section, "notifications", str(index), "name")]
            raise WorkflowFileInvalid(
                f"{path}, line {line}: {section}.notifications: the name {notification.name!r} is given twice"
            )
        names.add(notification.name)


def _parse(path: Path, text: str, lines: dict[tuple[str, ...], int]) -> dict[str, Any]:
    variables = Variables(path.absolute().parent, environment())
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None:
            _note_lines(path, root, (), lines)
            variables.expand(root)
        document = None if root is None else loader.construct_document(root)
        if isinstance(document, dict):
            _check_plain(path, document, (), lines)
    except RecursionError:
        raise WorkflowFileInvalid(f"{path}: nested too deeply, or an alias that holds itself") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        # A quoted word of the file may be a password that begins with * or !: only its position is shown.
        problem, words = _QUOTED_WORD.subn("", error.problem or error.context or "")
        remedy = "; a text that begins with * or ! has to be in quotes" if words else ""
        if mark and any("${" in line for line in text.split("\n")[mark.line : mark.line + 1]):
            remedy += "; a variable within { } or [ ] has to be in quotes"
        raise WorkflowFileInvalid(f"{path}{where}: not valid YAML: {problem}{remedy}") from error
    except yaml.YAMLError as error:
        raise WorkflowFileInvalid(f"{path}: not valid YAML: {error}") from error
    if variables.faults:
        raise WorkflowFileInvalid(f"{path}: {'; '.join(variables.faults)}")
    if not isinstance(document, dict):
        raise WorkflowFileInvalid(f"{path}: expected the sections workflow, source, tools and destination")
    return document


def _note_lines(path: Path, node: yaml.Node, at: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    """Remember the line of every field, and refuse a repeated key, which YAML would silently accept."""
    if len(lines) > MAX_NODES:
        raise WorkflowFileInvalid(f"{path}: more than {MAX_NODES} nodes: make the file smaller, or use fewer aliases")
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        lines[(*at, node.value)] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*at, str(key.value))
            if below in lines:
                field = ".".join(below)
                raise WorkflowFileInvalid(f"{path}, line {key.start_mark.line + 1}: {field} is given twice")
            _note_lines(path, value, below, lines)
            lines[below] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(path, item, (*at, str(index)), lines)


def _check_plain(path: Path, value: Any, at: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    """Refuse YAML values that JSON does not have: dates, bytes, sets, infinity, keys that are not text."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                line = lines.get((*at, str(key)), lines[at])
                raise WorkflowFileInvalid(f"{path}, line {line}: {key!r} is not a text: put it in quotes")
            _check_plain(path, part, (*at, key), lines)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check_plain(path, part, (*at, str(index)), lines)
    elif not (value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value))):
        line, field = lines.get(at, 1), ".".join(at)
        kind = "number without end" if isinstance(value, float) else type(value).__name__
        raise WorkflowFileInvalid(f"{path}, line {line}: {field}: a {kind} is not allowed here: put it in quotes")


def _explain(path: Path, message: str, lines: dict[tuple[str, ...], int], of: Any) -> str:
    location = _LOCATION.search(message)
    steps = tuple(name or index for name, index in _STEP.findall(location["path"])) if location else ()
    unknown = re.search(r"unknown field `(\w+)`", message)
    line = lines.get((*steps, unknown[1]) if unknown else steps)
    where = f", line {line}" if line else ""
    field = f"{'.'.join(steps)}: " if steps else ""
    fault = readable_error(message[: location.start()] if location else message, of, steps)
    return mask_text(f"{path}{where}: {field}{fault[:1].lower()}{fault[1:].replace('`', '')}")


def _resolved(endpoint: dict[str, Any], folder: Path, given: Path | None) -> dict[str, Any]:
    settings = dict(endpoint.get("settings") or {})
    if given is not None:
        settings[PATH_SETTING] = str(given.expanduser().absolute())
    elif isinstance(settings.get(PATH_SETTING), str) and _is_local(endpoint["connector"]):
        settings[PATH_SETTING] = str(folder / Path(settings[PATH_SETTING]).expanduser())
    return {**endpoint, "settings": settings}


def _is_local(connector: str) -> bool:
    return connector.partition("|")[0] in {"local", "localstorage", "sqlite", "duckdb", "jsonl", "csv", "parquet"}
