"""The message of ``async_execute_bin``: the execution that a worker is to orchestrate."""

from __future__ import annotations

from typing import Any, Self

import msgspec


class ExecutionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """``files`` are those of an API's call, as ``FileProcessingUtils.convert_file_hash_data`` takes them."""

    organization_id: str
    workflow_id: str
    execution_id: str
    files: dict[str, Any] = {}
    scheduled: bool = False
    pipeline_id: str | None = None

    @classmethod
    def of(
        cls,
        schema_name: str,
        workflow_id: str,
        execution_id: str,
        hash_values_of_files: dict[str, Any] | None = None,
        scheduled: bool = False,
        pipeline_id: str | None = None,
        **options: Any,
    ) -> Self:
        """From the arguments of the task, which are the original's.

        Its sender may pass ids as UUID objects. Further ``options`` are accepted and not needed: the execution's row
        has them.
        """
        return cls(
            organization_id=str(schema_name),
            workflow_id=str(workflow_id),
            execution_id=str(execution_id),
            files=hash_values_of_files or {},
            scheduled=scheduled,
            pipeline_id=pipeline_id,
        )
