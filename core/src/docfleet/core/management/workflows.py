"""Workflows: as a person or the command line states one, and as the backend shows it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from docfleet.core import file_patterns
from docfleet.core.file_patterns import SYSTEM_FILES
from docfleet.core.names import GivenName
from docfleet.core.nesting import MAX_DEPTH, exceeds_depth
from docfleet.core.review import ManualReviewConfig

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class SourceSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where files come from. ``max_files`` None means all of them, and ``max_depth`` None any depth: 1 is a listed
    folder itself. Files and folders whose names match ``ignore_names`` are left out: these and ``file_extensions``
    are groups, globs or extensions. ``reprocess_interval`` counts ``interval_unit``."""

    connector: str
    settings: dict[str, Any] = {}
    folders: list[str] = msgspec.field(default_factory=lambda: ["/"])
    file_extensions: list[str] = msgspec.field(default_factory=lambda: ["*"])
    ignore_names: list[str] = msgspec.field(default_factory=lambda: [SYSTEM_FILES])
    process_sub_directories: bool = True
    max_depth: AtLeastOne | None = None
    max_files: AtLeastOne | None = None
    file_processing_order: Literal["unordered", "oldest_first", "newest_first"] = "unordered"
    file_reprocessing_handling: Literal["skip_duplicates", "reprocess_after_interval"] = "skip_duplicates"
    reprocess_interval: AtLeastOne | None = None
    interval_unit: Literal["days", "months"] = "days"

    json_rules: ClassVar = (
        {
            "if": {
                "required": ["fileReprocessingHandling"],
                "properties": {"fileReprocessingHandling": {"const": "reprocess_after_interval"}},
            },
            "then": {"required": ["reprocessInterval"], "properties": {"reprocessInterval": {"type": "integer"}}},
        },
    )

    def __post_init__(self) -> None:
        file_patterns.check("fileExtensions", self.file_extensions)
        file_patterns.check("ignoreNames", self.ignore_names)
        if self.file_reprocessing_handling == "reprocess_after_interval" and self.reprocess_interval is None:
            raise ValueError("reprocess_after_interval needs a reprocessInterval (a number of days or months)")


class ToolSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One step."""

    tool: str
    settings: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if exceeds_depth(self.settings):
            raise ValueError(f"the settings of tool {self.tool!r:.100} are nested more than {MAX_DEPTH} levels deep")


class DestinationSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where results go: ``table`` and the column settings for a database, ``output_folder`` for a file system. With
    ``evidence_column`` a database gets the evidence for each result in a column, with ``evidence`` a file system in a
    file. With ``on_change: replace`` a database keeps one row of a document, which ``identity`` tells from others."""

    connector: str
    settings: dict[str, Any] = {}
    table: str | None = None
    column_mode: Literal["WRITE_JSON_TO_A_SINGLE_COLUMN", "SPLIT_JSON_INTO_COLUMNS"] | None = None
    single_column_name: str | None = None
    include_agent: bool | None = None
    agent_name: str | None = None
    include_timestamp: bool | None = None
    file_path: str | None = None
    execution_id: str | None = None
    output_folder: str | None = None
    evidence_column: str | None = None
    on_change: Literal["append", "replace"] | None = None
    identity: Literal["path", "content"] | None = None
    evidence: bool | None = None


class WorkflowSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A workflow: a source, tools in order, a destination. Its name is unique in the organization."""

    name: GivenName
    source: SourceSpec
    tools: list[ToolSpec]
    destination: DestinationSpec
    description: str = ""
    use_file_history: bool = True
    max_file_execution_count: AtLeastOne | None = None
    manual_review: ManualReviewConfig = msgspec.field(default_factory=ManualReviewConfig)

    json_rules: ClassVar = ({"properties": {"tools": {"minItems": 1}}},)

    def __post_init__(self) -> None:
        if not self.tools:
            raise ValueError("a workflow needs at least one tool")


class WorkflowSummary(msgspec.Struct, kw_only=True):
    """A workflow without its endpoints and tools. ``workflow_type`` is ETL, TASK or API."""

    workflow_id: str
    name: str
    description: str
    workflow_type: str
    is_active: bool
    use_file_history: bool
    max_file_execution_count: int | None
    manual_review: ManualReviewConfig
    created_at: str
    modified_at: str


class WorkflowList(msgspec.Struct):
    """The workflows of an organization, by name."""

    workflows: list[WorkflowSummary]


class WorkflowStep(msgspec.Struct):
    """One tool of a workflow, in its order."""

    tool: str
    settings: dict[str, Any]


class Workflow(WorkflowSummary, kw_only=True):
    """A workflow as it was stated. An endpoint has ``connector``, ``settings`` (secrets masked) and the keys of its
    configuration."""

    source: dict[str, Any]
    tools: list[WorkflowStep]
    destination: dict[str, Any]
