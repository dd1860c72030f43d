"""The specification's place for the shared types, which are defined in ``docfleet.core``."""

from docfleet.core.files import FileBatchData as FileBatchData
from docfleet.core.files import FileHashData as FileHashData
from docfleet.core.files import WorkerFileData as WorkerFileData
from docfleet.core.results import BatchExecutionResult as BatchExecutionResult
from docfleet.core.results import CallbackTaskData as CallbackTaskData
from docfleet.core.results import FileExecutionResult as FileExecutionResult
from docfleet.core.results import FileOutcome as FileOutcome

__all__ = [
    "BatchExecutionResult",
    "CallbackTaskData",
    "FileBatchData",
    "FileExecutionResult",
    "FileHashData",
    "FileOutcome",
    "WorkerFileData",
]
