"""The one tree of errors.

Every class carries a stable ``code`` (it goes over the wire, into rows and into answers) and says whether
the same call may succeed later (``retryable``). The message is for people: it names the cause and the remedy.
A class without a code of its own has its parent's.

::

    DocfleetError
    ├── InvalidInput            the caller's input is wrong
    │   └── UnsafePath          a name that would leave its folder
    ├── ConfigurationError      a setting is missing, unknown or malformed
    ├── NotAllowed              no key, a wrong key
    ├── Forbidden               the key is right, but its role does not allow this
    ├── NotFound                no such row (or another organization's)
    ├── Conflict                the row is not in a state that allows this
    │   ├── AlreadyFinal        a terminal status absorbs the write
    │   └── Fenced              the lease was lost: another worker owns the file now
    ├── QuotaExceeded           the organization has used up what it may use
    ├── ReviewUnavailable       manual review is requested where it is not configured
    ├── SourceError             the source as a whole
    │   ├── SourceNotFound
    │   ├── SourceUnreadable
    │   └── SourceVanished      it was there when the listing began
    ├── FileError               one document, its neighbours are untouched
    │   ├── FileMissing  FileChanging  EmptyFile  UnsupportedFileType
    │   └── PasswordRequired  CorruptFile  FileTooLarge
    ├── ToolError               the tool that ran on one document
    │   ├── ToolUnknown  ToolSettingsInvalid  ToolFailed  ToolCrashed  ToolTimeout
    │   └── ToolMemoryExceeded  ToolOutputTooLarge  ToolResultInvalid  ToolStopped
    ├── DestinationError        the result could not be written
    │   ├── DestinationUnavailable (retryable)
    │   └── DestinationRejected
    ├── ForkUnsafe              a client made in the parent is used in a child
    └── DependencyError         (retryable) something Docfleet needs does not answer
        ├── BackendUnavailable  RunnerUnavailable  CacheUnavailable  RunnerBusy
        ├── StorageUnavailable  SourceUnavailable
        ├── BrokerUnavailable
        │   └── DispatchFailed  the execution was written but could not be sent
        └── MachineTrouble      the machine that works on a file, never the file
            └── StorageFull  StorageFailed  ResourceExhausted  ToolKilled
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd") | {ord("\t"): "\t", ord("\n"): "\n"}


class DocfleetError(Exception):
    """Something went wrong in Docfleet."""

    code: str = "docfleet_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        # A message may quote a document or a peer. It goes into rows, logs and terminals: databases refuse a NUL, and a
        # terminal obeys an escape.
        self.message = (message or type(self).__doc__ or type(self).__name__).translate(_CONTROLS)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message,), self.__dict__


class InvalidInput(DocfleetError):
    """The request is not valid."""

    code = "invalid_input"


class UnsafePath(InvalidInput):
    """The path leaves the folder it has to stay in."""

    code = "unsafe_path"


class ConfigurationError(DocfleetError):
    """A setting is missing, unknown or malformed."""

    code = "configuration_error"


class NotAllowed(DocfleetError):
    """The key is missing or wrong."""

    code = "not_allowed"


class Forbidden(DocfleetError):
    """The role of the key does not allow this."""

    code = "forbidden"


class NotFound(DocfleetError):
    """There is no such thing in this organization."""

    code = "not_found"


class Conflict(DocfleetError):
    """The current state does not allow this."""

    code = "conflict"


class AlreadyFinal(Conflict):
    """The status is final and does not change any more."""

    code = "already_final"


class Fenced(Conflict):
    """The lease of this file was lost; another worker owns it now."""

    code = "fenced"


class QuotaExceeded(DocfleetError):
    """The organization has used up one of its quotas.

    ``quota`` is its name (``core.management.quotas.Quota``), ``used`` and ``limit`` its numbers. ``retry_after`` is in
    seconds; None where waiting does not help.
    """

    code = "quota_exceeded"

    def __init__(
        self,
        message: str | None = None,
        *,
        quota: str = "",
        used: int = 0,
        limit: int = 0,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.quota = quota
        self.used = used
        self.limit = limit
        self.retry_after = retry_after


class ReviewUnavailable(DocfleetError):
    """Manual review is requested, but no review queue is configured."""

    code = "review_unavailable"


class SourceError(DocfleetError):
    """The source could not be read."""

    code = "source_error"


class SourceNotFound(SourceError):
    """The source does not exist."""

    code = "source_not_found"


class SourceUnreadable(SourceError):
    """The source exists but cannot be read."""

    code = "source_unreadable"


class SourceVanished(SourceError):
    """The source disappeared while it was being read."""

    code = "source_vanished"


class FileError(DocfleetError):
    """The document cannot be processed."""

    code = "file_error"


class FileMissing(FileError):
    """The file is no longer there."""

    code = "file_missing"


class FileChanging(FileError):
    """The file is still being written."""

    code = "file_changing"


class EmptyFile(FileError):
    """The file is empty (0 bytes)."""

    code = "empty_file"


class UnsupportedFileType(FileError):
    """The type of the file is not supported."""

    code = "unsupported_file_type"


class PasswordRequired(FileError):
    """Password required: the document is encrypted."""

    code = "password_required"


class CorruptFile(FileError):
    """The file is damaged and cannot be read."""

    code = "corrupt_file"


class FileTooLarge(FileError):
    """The file is larger than the limit."""

    code = "file_too_large"


class ToolError(DocfleetError):
    """The tool did not produce a result."""

    code = "tool_error"


class ToolUnknown(ToolError):
    """No tool of this name is registered."""

    code = "tool_unknown"


class ToolSettingsInvalid(ToolError):
    """The settings of the tool do not match its specification."""

    code = "tool_settings_invalid"


class ToolFailed(ToolError):
    """The tool reported an error."""

    code = "tool_failed"


class ToolCrashed(ToolError):
    """The tool's process died."""

    code = "tool_crashed"


class ToolTimeout(ToolError):
    """The tool ran longer than its limit."""

    code = "tool_timeout"


class ToolMemoryExceeded(ToolError):
    """The tool needed more memory than its limit."""

    code = "tool_memory_exceeded"


class ToolOutputTooLarge(ToolError):
    """The tool wrote more than its limit."""

    code = "tool_output_too_large"


class ToolResultInvalid(ToolError):
    """The tool ended without a valid result."""

    code = "tool_result_invalid"


class ToolStopped(ToolError):
    """The run was stopped on request."""

    code = "tool_stopped"


class DestinationError(DocfleetError):
    """The result could not be delivered."""

    code = "destination_error"


class DestinationUnavailable(DestinationError):
    """The destination does not answer."""

    code = "destination_unavailable"
    retryable = True


class DestinationRejected(DestinationError):
    """The destination refused the result."""

    code = "destination_rejected"


class ForkUnsafe(DocfleetError):
    """A connection made in the parent process is used in a child."""

    code = "fork_unsafe"


class DependencyError(DocfleetError):
    """Something Docfleet depends on does not answer."""

    code = "dependency_error"
    retryable = True


class SourceUnavailable(DependencyError):
    """The source does not answer now: the file is read again later."""

    code = "source_unavailable"


class BackendUnavailable(DependencyError):
    """The backend does not answer."""

    code = "backend_unavailable"


class RunnerUnavailable(DependencyError):
    """The runner does not answer."""

    code = "runner_unavailable"


class RunnerBusy(DependencyError):
    """The run needs long, and every place of the runner for long runs is taken."""

    code = "runner_busy"


class BrokerUnavailable(DependencyError):
    """The broker does not answer."""

    code = "broker_unavailable"


class DispatchFailed(BrokerUnavailable):
    """The execution was written but could not be sent; it is ERROR now."""

    def __init__(self, message: str, execution_id: str) -> None:
        super().__init__(message)
        self.execution_id = execution_id

    def __reduce__(self) -> tuple[Callable[..., DocfleetError], tuple[Any, ...]]:
        return type(self), (self.message, self.execution_id)


class CacheUnavailable(DependencyError):
    """Redis does not answer."""

    code = "cache_unavailable"


class StorageUnavailable(DependencyError):
    """The storage of the system's own work does not answer."""

    code = "storage_unavailable"


class MachineTrouble(DependencyError):
    """The machine that works on a file has a fault of its own; the file is not to blame."""

    code = "machine_trouble"


class StorageFull(MachineTrouble):
    """There is no space to work in."""

    code = "storage_full"


class StorageFailed(MachineTrouble):
    """A disk of the machine cannot be read or written."""

    code = "storage_failed"


class ResourceExhausted(MachineTrouble):
    """The machine has no file descriptor, process or memory left."""

    code = "resource_exhausted"


class ToolKilled(MachineTrouble):
    """The tool's process was killed from outside: neither by a limit of its run nor by a stop."""

    code = "tool_killed"
