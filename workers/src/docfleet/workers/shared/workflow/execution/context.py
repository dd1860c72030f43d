"""``WorkerExecutionContext``: the first step of every task about an execution."""

from __future__ import annotations

from pathlib import Path

import structlog

from docfleet.core.errors import InvalidInput
from docfleet.core.execution import ExecutionContext
from docfleet.core.ids import check_organization, parse_id
from docfleet.core.storage import execution_folder, remove_work, resolve_folder
from docfleet.workers.shared.clients.api import InternalApi, internal_api
from docfleet.workers.shared.infrastructure.context.state_store import (
    EXECUTION_ID,
    LOG_EVENTS_ID,
    ORGANIZATION_ID,
    StateStore,
)


class WorkerExecutionContext:
    """Sets up the context of a task about one execution."""

    @staticmethod
    def bind(organization_id: str, execution_id: str) -> InternalApi:
        """Bind organization and execution to this task and its log lines; no call is made.

        Raises ``InvalidInput`` for malformed ids: they come from a message, and become parts of URLs and paths.
        """
        if parse_id(execution_id, "the execution") != execution_id:
            raise InvalidInput(f"the execution id is not a UUID in canonical form: {execution_id!r:.80}")
        check_organization(organization_id)
        StateStore.set(ORGANIZATION_ID, organization_id)
        StateStore.set(EXECUTION_ID, execution_id)
        structlog.contextvars.bind_contextvars(organization_id=organization_id, execution_id=execution_id)
        return internal_api()

    @staticmethod
    def setup_execution_context(
        organization_id: str, execution_id: str, workflow_id: str
    ) -> tuple[ExecutionContext, InternalApi]:
        """``(config, api_client)``: ``bind``, then fetch the execution's context, in one call. Raises ``NotFound`` when
        it belongs to another organization, ``InvalidInput`` when it is of another workflow, and
        ``BackendUnavailable`` when the backend does not answer."""
        api = WorkerExecutionContext.bind(organization_id, execution_id)
        context = api.workflows(organization_id).context(execution_id)
        WorkerExecutionContext.remember(context)
        if workflow_id != context.execution.workflow_id:
            raise InvalidInput(f"workflow {workflow_id!r:.80} is not the one of execution {execution_id}")
        return context, api

    @staticmethod
    def remember(context: ExecutionContext) -> None:
        """Bind workflow and log channel of the context to this task and its log lines."""
        structlog.contextvars.bind_contextvars(workflow_id=context.execution.workflow_id)
        StateStore.set(LOG_EVENTS_ID, context.execution.execution_log_id or context.execution.pipeline_id)

    @staticmethod
    def delete_files(api: InternalApi, organization_id: str, workflow_id: str, execution_id: str) -> None:
        """Delete the working files of an execution that is final. Safe to repeat. Its uploads are the backend's."""
        folder = execution_folder(organization_id, workflow_id, execution_id)
        remove_work(resolve_folder(Path(api.settings.execution_storage_root), folder))
