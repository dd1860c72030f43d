"""``ExecutionMessage``: the message that starts the orchestration of an execution."""

from __future__ import annotations

from typing import Any, Self

import msgspec

from docfleet.core.errors import InvalidInput
from docfleet.workers.shared.infrastructure.celery.arguments import arguments


class ExecutionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The message of ``async_execute_bin``. ``files`` are those of an API's call, in the form that
    ``FileProcessingUtils.convert_file_hash_data`` takes. ``use_file_history`` None means the execution's setting."""

    organization_id: str
    workflow_id: str
    execution_id: str
    files: dict[str, Any] = {}
    scheduled: bool = False
    pipeline_id: str | None = None
    use_file_history: bool | None = None

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Self:
        """From the arguments of the task, which are the original's. Raises ``InvalidInput``.

        Further options are accepted and ignored: the execution's row has them.
        """
        given = arguments(_signature, args, kwargs)
        named = {_RENAMED.get(name, name): value for name, value in given.items() if value is not None}
        fields = {name: value for name, value in named.items() if name in cls.__struct_fields__}
        if fields.get("pipeline_id") in ("", "None"):  # as the original's API worker writes it
            del fields["pipeline_id"]
        try:
            return msgspec.convert(fields, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the message does not fit its task: {error}") from None


_RENAMED = {"schema_name": "organization_id", "hash_values_of_files": "files"}


def _signature(
    schema_name: Any,
    workflow_id: Any,
    execution_id: Any,
    hash_values_of_files: Any = None,
    scheduled: Any = None,
    execution_mode: Any = None,
    pipeline_id: Any = None,
    log_events_id: Any = None,
    use_file_history: Any = None,
    **options: Any,
) -> None:
    """The original's signature."""
