"""Calls of an API: from staged files to a sent execution, and from its end to the answer."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from sqlalchemy import bindparam, select

from docfleet.backend.calls import callers, manifest, results
from docfleet.backend.calls.cache import ResultCache
from docfleet.backend.calls.callers import Caller
from docfleet.backend.calls.options import CallOptions, Include
from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Area, Staging
from docfleet.backend.executions import messages, register, repository, service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.platform.db import Database, Record
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.platform.waiting import Waiting
from docfleet.backend.quotas import admission
from docfleet.backend.quotas import repository as quotas
from docfleet.backend.quotas.repository import Limits
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.tools import tool_instances
from docfleet.core.batch_calls import RegisterRequest, StartRequest
from docfleet.core.errors import CallRefused, DispatchFailed, NotFound
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus
from docfleet.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

ACKNOWLEDGED = "Result already acknowledged"
_FIRST_TOOL = (
    select(tool_instances.c.tool_id)
    .where(tool_instances.c.workflow_id == bindparam("workflow_id"))
    .order_by(tool_instances.c.step)
    .limit(1)
)


def call_path(organization_id: str, api_name: str) -> str:
    """The URL path at which an API is called."""
    return f"/deployment/api/{organization_id}/{api_name}/"


class Answer(msgspec.Struct):
    """The answer to a caller: the execution's status, and the items once it is final."""

    status: ExecutionStatus
    items: list[dict[str, Any]] | None = None
    error: str | None = None
    acknowledged: bool = False


class Calls:
    """The steps of a call of an API. The methods block: they run in threads."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        cipher: Cipher,
        settings: BackendSettings,
        tools: ToolRegistry,
        waiting: Waiting,
        slots: Slots,
        staging: Staging,
        cache: ResultCache,
    ) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.cipher = cipher
        self.settings = settings
        self.waiting = waiting
        self.slots = slots
        self.staging = staging
        self.cache = cache
        self._tools = tools

    def admit(self, organization_id: str, api_name: str, authorization: str) -> Caller:
        """Admit a caller with a valid key, unless its organization was refused a slot a moment ago.

        Raises ``CallRefused``, and ``QuotaExceeded`` when its organization has no room for one more file, before the
        body is read, so that a call that cannot run costs next to nothing.
        """
        caller = callers.deployment(self.database, organization_id, api_name, authorization)
        self.slots.check(caller.organization_id, caller.concurrent_limit)
        limits = Limits.of(self.settings, caller.overrides)
        if limits.are_set:
            with self.database.reading() as connection:
                used = quotas.use(connection, caller.organization_id)
            admission.check(limits, used, caller.organization_id, None)
        return caller

    def launch(self, caller: Caller, execution_id: str, area: Area, options: CallOptions) -> str | None:
        """Write the execution and send it. Returns the error when it could not be sent (it is ERROR then).

        Raises ``CallRefused`` when there is no slot for it, ``QuotaExceeded`` when there is no room for its files; the
        caller discards ``area`` when this raises.
        """
        deployment = caller.target
        with self.database.reading() as connection:
            first_tool = connection.scalar(_FIRST_TOOL, {"workflow_id": deployment.workflow_id})
        files = manifest.build(area.files, self._tools, first_tool)
        new = NewExecution(
            workflow_id=deployment.workflow_id,
            use_file_history=options.use_file_history,
            tags=options.tags,
            log_events_id=deployment.id,
            execution_id=execution_id,
            api_deployment_id=deployment.id,
            upload_manifest=files,
            options=options.run,
        )
        self.slots.acquire(caller.organization_id, execution_id, caller.concurrent_limit)
        try:
            created = service.create(self.database, self.cipher, self.settings, caller.organization_id, new)
        except BaseException:
            self.slots.release([(caller.organization_id, execution_id)], announce=False)
            raise
        area.keep()
        if all(item["rejection"] for item in files):
            self._refuse(created.row, messages.uploaded(files))
            return None
        try:
            service.dispatch(self.database, self.dispatcher, created)
        except DispatchFailed as error:
            return error.message
        return None

    def _refuse(self, execution: Record, files: dict[str, dict[str, Any]]) -> None:
        """End an execution all of whose files were refused: its rows have the reasons, and no worker is needed."""
        page = RegisterRequest(page=1, files=[FileHashData.from_dict(file) for file in files.values()])
        with self.database.writing() as connection:
            register.register(connection, execution.organization_id, execution.id, page, self.settings)
            register.start(connection, execution.organization_id, execution.id, StartRequest(batch_count=1))

    def is_final(self, organization_id: str, execution_id: str) -> bool:
        """Whether the execution has ended."""
        with self.database.reading() as connection:
            return repository.is_final(repository.find(connection, organization_id, execution_id))

    def read(self, caller: Caller, execution_id: str, include: Include, *, once: bool) -> Answer:
        """The state of one of the deployment's executions, and its items when it is final.

        ``once``: only the first read gets the results, later ones get ``acknowledged``.
        Raises ``CallRefused``: 404 for another deployment's execution, 410 when the results expired.
        """
        with self.database.reading() as connection:
            try:
                row = repository.find(connection, caller.organization_id, execution_id)
            except NotFound:
                row = None
            if row is None or row.api_deployment_id != caller.target.id:
                raise CallRefused(404, "not_found", f"this API has no execution {execution_id}", attr="execution_id")
            status = ExecutionStatus(row.status)
            if not status.is_final:
                return Answer(status)
            if once and row.result_acknowledged:
                return Answer(status, acknowledged=True)
            if results.expired(connection, row, self.settings.execution_result_ttl_seconds):
                raise CallRefused(410, "expired", "the results have expired: send the files again")
            items = None if once else self.cache.get(row, include)
            if items is None:
                items = results.items(connection, row, include)
                if not once:
                    self.cache.put(row, include, items)
        if once:
            with self.database.writing() as connection:
                if not results.acknowledge(connection, row):
                    return Answer(status, acknowledged=True)
        return Answer(status, items, row.error_message or None)

    def status_path(self, caller: Caller, execution_id: str) -> str:
        """The path, with its query, at which a caller polls the execution."""
        return f"{call_path(caller.organization_id, caller.target.api_name)}?execution_id={execution_id}"
