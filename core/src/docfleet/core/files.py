"""Files on the wire: ``FileHashData`` (one input file), ``WorkerFileData`` (the data of a batch),
``FileBatchData`` (the single argument of ``process_file_batch``).

Keys are those of the original (Unstract at 6b916eac). Two of its keys are left out on purpose:
``connector_metadata``, which carries credentials (they never travel in a message), and ``source_config`` /
``destination_config``, which are always empty there. Unknown keys are ignored, absent and ``null`` mean the
default, so messages of older and newer senders are readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

import msgspec

from docfleet.core.errors import InvalidInput
from docfleet.core.ids import is_id, stable_file_key
from docfleet.core.review import ManualReviewConfig
from docfleet.core.wire import Wire

_Named = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1})]


class FileHashData(Wire):
    """One input file.

    ``file_number`` is global to the execution, 1…N, given after filtering. ``file_key`` is the stable key
    (``ids.stable_file_key``). ``rejection`` is set when the entry could not be understood: such a file becomes
    a failed file with that reason. ``fs_metadata["modified_at"]`` is in epoch seconds.
    """

    file_name: _Named
    file_path: _Named
    file_hash: str = ""
    file_size: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})] = 0
    mime_type: str = ""
    provider_file_uuid: str | None = None
    fs_metadata: dict[str, Any] = {}
    source_connection_type: str | None = None
    file_destination: str | list[str] | None = None
    is_executed: bool = False
    file_number: int | None = None
    connector_id: str | None = None
    use_file_history: bool = False
    is_manualreview_required: bool = False
    hitl_queue_name: str | None = None
    hitl_packet_id: str | None = None
    file_key: str = ""
    rejection: str | None = None

    def __post_init__(self) -> None:
        if not self.file_name or not self.file_path:
            raise ValueError("file_name and file_path must not be empty")
        if self.file_size < 0:
            raise ValueError("file_size must not be negative")
        if not self.file_key:
            self.file_key = stable_file_key(
                provider_file_uuid=self.provider_file_uuid,
                file_hash=self.file_hash,
                file_path=self.file_path,
                file_size=self.file_size,
                modified_at=self.modified_at,
            )

    @property
    def modified_at(self) -> float | None:
        """Modification time at the source, epoch seconds."""
        value = self.fs_metadata.get("modified_at")
        return float(value) if isinstance(value, int | float) else None


class FileProcessingUtils:
    """The specification's name for the one way from dicts to ``FileHashData``."""

    @staticmethod
    def convert_file_hash_data(
        hash_values_of_files: Mapping[str, Any] | Iterable[Any],
    ) -> dict[str, FileHashData]:
        """``{display key: FileHashData}`` from a message's mapping (or pairs, or dicts), every entry kept.

        A bad entry comes back with ``rejection`` set, so that it ends as a failed file and is never dropped.
        ``provider_file_uuid`` and ``hitl_packet_id`` are carried over untouched. A key that occurs twice is
        numbered (``"a.pdf"``, ``"a.pdf (2)"``).
        """
        converted: dict[str, FileHashData] = {}
        for position, (key, entry) in enumerate(_entries(hash_values_of_files), start=1):
            label = key if isinstance(key, str) and key else f"entry {position}"
            unique, copy = label, 2
            while unique in converted:
                unique, copy = f"{label} ({copy})", copy + 1
            converted[unique] = _convert(label, entry)
        return converted


def _entries(files: Mapping[str, Any] | Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    if isinstance(files, Mapping):
        yield from files.items()
        return
    for item in files:
        if isinstance(item, list | tuple) and len(item) == 2:
            yield item[0], item[1]
        elif isinstance(item, FileHashData):
            yield item.file_name, item
        elif isinstance(item, Mapping):
            yield item.get("file_name"), item
        else:
            yield None, item


def _convert(label: str, entry: Any) -> FileHashData:
    if isinstance(entry, FileHashData):
        return entry
    try:
        return FileHashData.from_dict(entry)
    except InvalidInput as error:
        path = entry.get("file_path") if isinstance(entry, Mapping) else None
        return FileHashData(
            file_name=label,
            file_path=path if isinstance(path, str) and path else label,
            rejection=f"the file's entry in the request is not valid: {error.message}",
        )


class Tag(Wire):
    """A label of an execution."""

    id: str = ""
    name: str = ""
    description: str = ""


class WorkerFileData(Wire):
    """The data that all files of a batch share: ids and options, no secrets, no state."""

    workflow_id: str
    execution_id: str
    organization_id: str
    pipeline_id: str | None = None
    single_step: bool = False
    scheduled: bool = False
    execution_mode: str = "QUEUE"
    use_file_history: bool = True
    q_file_no_list: list[int] = []
    hitl_queue_name: str | None = None
    hitl_packet_id: str | None = None
    manual_review_config: ManualReviewConfig = msgspec.field(default_factory=ManualReviewConfig)
    is_manualreview_required: bool = False
    llm_profile_id: str | None = None
    tags: list[Tag] = []
    custom_data: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("workflow_id", "execution_id", "organization_id"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")

    @classmethod
    def of(cls, execution: Any, *, organization_id: str, pipeline_id: str | None = None, **options: Any) -> Self:
        """The data of an execution's batches.

        ``execution`` is its row, in the backend or as ``ExecutionInfo``. ``pipeline_id`` is needed where the row has
        none. ``options`` are further fields of this type.
        """
        return cls(
            workflow_id=execution.workflow_id,
            execution_id=execution.id,
            organization_id=organization_id,
            pipeline_id=pipeline_id or execution.pipeline_id,
            **options,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """As ``Wire.from_dict``; also takes the original's spellings (``pipeline_id: "None"`` or ``""``,
        ``execution_mode`` as a list, tags as plain strings)."""
        if not isinstance(data, Mapping):
            raise InvalidInput(f"{cls.__name__}: expected an object, got {type(data).__name__}")
        known = dict(data)
        if known.get("pipeline_id") in ("", "None"):
            del known["pipeline_id"]
        if isinstance(known.get("execution_mode"), list | tuple):
            known["execution_mode"] = next(iter(known["execution_mode"]), "QUEUE")
        if isinstance(known.get("tags"), list):
            known["tags"] = [{"name": tag} if isinstance(tag, str) else tag for tag in known["tags"]]
        return super().from_dict(known)


class FileBatchData(Wire):
    """One batch: a slice of the execution's registered files, or the files it names.

    Slice: the files whose ``(file_number - 1) % batch_count == batch_index``, i.e. round robin over
    ``batch_count`` batches. The message stays a few hundred bytes for any number of files; the worker claims
    the rows page by page. ``files`` names files explicitly (``[file_execution_id, FileHashData]``): a batch
    that the sweep hands out again. In a batch of another orchestrator the key is the file's path or display name
    (the original's form): the file has no row yet. ``yielded_at``: when it last gave up a slot, by the database's
    clock.
    """

    file_data: WorkerFileData
    files: list[tuple[str, FileHashData]] = []
    batch_index: int = 0
    batch_count: int = 1
    yielded_at: float = 0.0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Take ``files`` as pairs, or as objects with ``file_name`` and ``file_path``."""
        if not isinstance(data, Mapping) or not isinstance(data.get("file_data"), Mapping):
            raise InvalidInput("FileBatchData: `file_data` is missing or not an object")
        files = data.get("files") or []
        if not isinstance(files, list | tuple):
            raise InvalidInput(f"FileBatchData: `files` must be a list, got {type(files).__name__}")
        index, count = data.get("batch_index") or 0, data.get("batch_count") or 1
        if not (isinstance(index, int) and isinstance(count, int) and 0 <= index < count):
            raise InvalidInput(f"FileBatchData: no batch {index!r} of {count!r}")
        yielded_at = data.get("yielded_at") or 0.0
        if not isinstance(yielded_at, int | float):
            raise InvalidInput(f"FileBatchData: `yielded_at` must be a number, got {type(yielded_at).__name__}")
        return cls(
            file_data=WorkerFileData.from_dict(data["file_data"]),
            files=list(FileProcessingUtils.convert_file_hash_data(files).items()),
            batch_index=index,
            batch_count=count,
            yielded_at=float(yielded_at),
        )

    @property
    def without_rows(self) -> list[FileHashData]:
        """The files that are named by anything but the id of their row."""
        return [file for key, file in self.files if not is_id(key)]
