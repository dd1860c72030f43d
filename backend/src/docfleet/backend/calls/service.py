"""Calls of an API: from staged files to a sent execution, and from its end to the answer."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import structlog
from sqlalchemy import bindparam, select

from docfleet.backend.calls import callers, manifest, results
from docfleet.backend.calls.cache import ResultCache
from docfleet.backend.calls.callers import Caller
from docfleet.backend.calls.options import CallOptions, Include
from docfleet.backend.calls.refusals import CallRefused, invalid_field
from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Area, Staging
from docfleet.backend.executions import messages, register, repository, service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.platform.db import Database, Record
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.platform.waiting import WaitingCallers
from docfleet.backend.quotas import admission
from docfleet.backend.quotas import repository as quotas
from docfleet.backend.quotas.repository import QuotaLimits
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.tools import tool_instances
from docfleet.core.batch_calls import RegisterRequest, StartRequest
from docfleet.core.errors import DispatchFailed, NotFound
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


def key_within(target_id: str, key: str | None) -> str | None:
    """The idempotency key of a caller of one deployment or pipeline: callers know nothing of each other's keys.

    Raises ``CallRefused`` (400).
    """
    if key is None:
        return None
    if not 1 <= len(key) <= service.MAX_KEY_LENGTH:
        message = f"Idempotency-Key has to have 1 to {service.MAX_KEY_LENGTH} characters"
        raise invalid_field("Idempotency-Key", message)
    return f"{target_id}:{hashlib.sha256(key.encode()).hexdigest()}"


class Launched(msgspec.Struct, frozen=True):
    """The execution of a call: of this one, or with its idempotency key of an earlier one (``repeated``).

    ``error`` is why it could not be sent; it is ERROR then.
    """

    execution_id: str
    status: ExecutionStatus
    repeated: bool = False
    error: str | None = None


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
        waiting: WaitingCallers,
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

    def admit(self, organization_id: str, api_name: str, authorization: str, idempotency_key: str | None) -> Caller:
        """Admit a caller with a valid key, unless its organization was refused a slot a moment ago. A repeat needs no
        slot.

        Raises ``CallRefused``, and ``QuotaExceeded`` when its organization has no room for one more file, before the
        body is read, so that a call that cannot run costs next to nothing.
        """
        caller = callers.deployment(self.database, organization_id, api_name, authorization)
        if self._is_known(caller, key_within(caller.target.id, idempotency_key)):
            return caller
        self.slots.check(caller.organization_id, caller.concurrent_limit)
        limits = QuotaLimits.of(self.settings, caller.overrides)
        if limits.are_set:
            with self.database.reading() as connection:
                used = quotas.use(connection, caller.organization_id)
            admission.check(limits, used, caller.organization_id, None)
        return caller

    def _is_known(self, caller: Caller, key: str | None) -> bool:
        if key is None:
            return False
        with self.database.reading() as connection:
            return service.of_key(connection, caller.organization_id, key) is not None

    def launch(
        self, caller: Caller, execution_id: str, area: Area, options: CallOptions, idempotency_key: str | None
    ) -> Launched:
        """Write the execution and send it; a repeat has the one of the first call, and its files are discarded.

        Raises ``CallRefused`` when there is no slot for it, ``QuotaExceeded`` when there is no room for its files, and
        ``Conflict`` for the key of another call; the caller discards ``area`` when this raises.
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
            idempotency_key=key_within(deployment.id, idempotency_key),
            api_deployment_id=deployment.id,
            upload_manifest=files,
            options=options.run,
        )
        created = self._create(caller, new)
        launched = Launched(created.row.id, ExecutionStatus(created.row.status), repeated=not created.new)
        if created.new:
            area.keep()
        else:
            area.discard()
        if created.new and all(item["rejection"] for item in files):
            self._refuse(created.row, messages.uploaded(files))
            return launched
        try:
            service.dispatch(self.database, self.dispatcher, created)
        except DispatchFailed as error:
            return msgspec.structs.replace(launched, status=ExecutionStatus.ERROR, error=error.message)
        return launched

    def _create(self, caller: Caller, new: NewExecution) -> service.Created:
        """The execution, which has a slot: a new one, or the one of the idempotency key."""
        if new.idempotency_key is not None:
            with self.database.reading() as connection:
                known = service.repeated(connection, self.cipher, caller.organization_id, new)
            if known is not None:
                return known
        slot = (caller.organization_id, str(new.execution_id))
        self.slots.acquire(*slot, caller.concurrent_limit)
        try:
            created = service.create(self.database, self.cipher, self.settings, caller.organization_id, new)
        except BaseException:
            self.slots.release([slot], announce=False)
            raise
        if not created.new:  # the other call of this key was faster
            self.slots.release([slot], announce=False)
        return created

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
