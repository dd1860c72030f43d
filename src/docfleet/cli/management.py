"""A client of the management API for the commands."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from docfleet.cli.embedded.system import Addresses
from docfleet.cli.transport import TIMEOUT_SECONDS, ManagementTransport
from docfleet.core.errors import BackendUnavailable, InvalidInput, NotFound, UnsafePath
from docfleet.core.ids import new_id, parse_id
from docfleet.core.log_events import LogLevel
from docfleet.core.management.changes import (
    AppliedDeployment,
    AppliedNotification,
    AppliedPipeline,
    AppliedWorkflow,
    PlannedChange,
    PlannedWorkflowChange,
)
from docfleet.core.management.deployments import Deployment, DeploymentList
from docfleet.core.management.executions import (
    ExecutionPage,
    ExecutionRequest,
    ExecutionResults,
    ExecutionState,
    FileEvidence,
    FileOfExecution,
    FilePage,
    ListedExecution,
    RetryResult,
    StartedExecution,
    StopResult,
    WaitReasons,
)
from docfleet.core.management.keys import CreatedKey, Key, KeyList, KeyRequest, RevokedKey, Role, Scope
from docfleet.core.management.logs import LogLine, LogPage
from docfleet.core.management.notifications import (
    DeletedNotification,
    Notification,
    NotificationPage,
    NotificationTest,
    OutboxEvent,
    OutboxPage,
    ResentEvent,
)
from docfleet.core.management.organizations import (
    AppliedOrganization,
    Organization,
    OrganizationList,
    OrganizationRequest,
    SettingInForce,
    SettingList,
    SettingsRequest,
)
from docfleet.core.management.pipelines import (
    DeletedPipeline,
    Pipeline,
    PipelineList,
    PipelinePreview,
    PlannedRun,
    SchedulePreview,
    Tick,
    TickPage,
)
from docfleet.core.management.quotas import QuotaList, QuotaUse
from docfleet.core.management.verification import Verification
from docfleet.core.schedule import Schedule
from docfleet.core.status import OPEN
from docfleet.core.storage import safe_segment

ORGANIZATION_ID = "default"
ORGANIZATION_NAME = "Default"
PAGE_SIZE = 500
_EXECUTION = "the execution id (see `docfleet executions list`)"
_EVENT = "the event id (see `docfleet notifications list --dead`)"
_KEY = "the key id (see `docfleet keys list`)"
_VERIFY_SECONDS = 3600.0


class ManagementClient:
    """Calls one backend for one organization, None for that of the key. Errors are those of ``docfleet.core.errors``,
    by code."""

    def __init__(self, addresses: Addresses, organization_id: str | None = ORGANIZATION_ID) -> None:
        self.organization_id = organization_id
        self._addresses = addresses
        self._transport = ManagementTransport(addresses.backend_url, addresses.key, organization_id)

    def of(self, organization_id: str) -> ManagementClient:
        """A client of another organization, with the same key."""
        return ManagementClient(self._addresses, organization_id)

    def call[Answer](
        self, answer: type[Answer], method: str, path: str, body: object = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> Answer:
        """Any call; the other methods are the calls that commands need."""
        return self._transport.call(answer, method, path, body, timeout=timeout)

    # Organizations

    def put_organization(self) -> None:
        """Make the organization, where it is not there. Needs the internal key."""
        organization_id = self.organization_id or ORGANIZATION_ID
        name = ORGANIZATION_NAME if organization_id == ORGANIZATION_ID else organization_id
        self.create_organization(organization_id, name)

    def create_organization(self, organization_id: str, name: str) -> bool:
        """Make an organization or rename it; True when it is new. Raises ``InvalidInput``."""
        try:
            safe_segment(organization_id)
        except UnsafePath as error:
            raise InvalidInput(
                f"not an organization id: {organization_id!r:.120}; use letters, digits, '_', '-' and '.', at most 100"
            ) from error
        return self.call(
            AppliedOrganization, "PUT", f"organizations/{organization_id}", OrganizationRequest(name)
        ).created

    def organizations(self) -> list[Organization]:
        """All organizations, by id."""
        return self.call(OrganizationList, "GET", "organizations").organizations

    def set_organization_settings(self, organization_id: str, settings: dict[str, int | None]) -> list[SettingInForce]:
        """Set all of them or none; None removes the override. Returns all settings. Raises ``NotFound``,
        ``InvalidInput``."""
        path = f"organizations/{urllib.parse.quote(organization_id, safe='')}/settings"
        return self.call(SettingList, "PUT", path, SettingsRequest(settings)).settings

    def settings(self) -> list[SettingInForce]:
        """The settings of this organization, by key."""
        return self.call(SettingList, "GET", "settings").settings

    def quotas(self) -> list[QuotaUse]:
        """The quotas of this organization, and their use."""
        return self.call(QuotaList, "GET", "quotas").quotas

    # The resources of a workflow file: each call is idempotent by name.

    def put_workflow(self, document: dict[str, Any]) -> str:
        """Create or change the workflow of this name; returns its id."""
        return self.call(AppliedWorkflow, "PUT", "workflows", document).workflow_id

    def put_deployment(self, document: dict[str, Any]) -> AppliedDeployment:
        """Create or change the API of this name."""
        return self.call(AppliedDeployment, "PUT", "deployments", document)

    def put_pipeline(self, document: dict[str, Any]) -> AppliedPipeline:
        """Create or change the pipeline of this name."""
        return self.call(AppliedPipeline, "PUT", "pipelines", document)

    def put_notification(self, document: dict[str, Any]) -> AppliedNotification:
        """Create or change the notification of this name, within its pipeline or API."""
        return self.call(AppliedNotification, "PUT", "notifications", document)

    def plan_workflow(self, document: dict[str, Any]) -> PlannedWorkflowChange:
        """The dry run of ``put_workflow``. Raises the same errors."""
        return self.call(PlannedWorkflowChange, "PUT", "workflows?dry_run=true", document)

    def plan(self, kind: str, document: dict[str, Any]) -> PlannedChange:
        """The dry run of the PUT of a resource; ``kind`` is deployments, pipelines or notifications. Raises the same
        errors."""
        return self.call(PlannedChange, "PUT", f"{kind}?dry_run=true", document)

    # Deployments and pipelines

    def deployments(self) -> list[Deployment]:
        """All API deployments, by name."""
        return self.call(DeploymentList, "GET", "deployments").deployments

    def absolute(self, url: str) -> str:
        """``url`` of an answer, which may lack the host."""
        return urllib.parse.urljoin(self._transport.base, url)

    def pipelines(self) -> list[Pipeline]:
        """All pipelines, by name."""
        return self.call(PipelineList, "GET", "pipelines").pipelines

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of this name. Raises ``NotFound``."""
        pipeline = next((row for row in self.pipelines() if row.name == name), None)
        if pipeline is None:
            raise NotFound(f"there is no pipeline {name!r:.120}: see `docfleet pipelines list`")
        return pipeline

    def delete_pipeline(self, pipeline_id: str) -> None:
        """Delete a pipeline, with its schedule, keys and notifications."""
        self.call(DeletedPipeline, "DELETE", f"pipelines/{pipeline_id}")

    def set_active(self, pipeline_id: str, *, active: bool) -> Pipeline:
        """Resume or pause a pipeline. Returns its new state."""
        return self.call(Pipeline, "POST", f"pipelines/{pipeline_id}/{'resume' if active else 'pause'}", {})

    def run_pipeline(self, pipeline_id: str) -> str:
        """Run it now; a repeat after a lost answer starts no second run. Returns the execution's id. Raises
        ``Conflict`` while it is paused."""
        return self._once(StartedExecution, f"pipelines/{pipeline_id}/run", {}).execution_id

    def preview(self, schedule: Schedule, count: int) -> list[PlannedRun]:
        """The next runs of a schedule. Raises ``InvalidInput`` naming the fault."""
        return self.call(SchedulePreview, "POST", f"pipelines/preview?count={count}", schedule).runs

    def preview_pipeline(self, pipeline_id: str, count: int) -> list[PlannedRun]:
        """The next runs of a pipeline. Raises ``InvalidInput`` when it has no schedule."""
        return self.call(PipelinePreview, "GET", f"pipelines/{pipeline_id}/preview?count={count}").runs

    def ticks(self, pipeline_id: str, limit: int) -> list[Tick]:
        """The newest ticks of its schedule."""
        return self.call(TickPage, "GET", f"pipelines/{pipeline_id}/ticks?limit={limit}").ticks

    # Notifications

    def notifications(self) -> list[Notification]:
        """All notifications, secrets masked."""
        rows: list[Notification] = []
        after: str | None = ""
        while after is not None:
            page = self.call(NotificationPage, "GET", f"notifications?{_query(limit=PAGE_SIZE, after=after or None)}")
            rows += page.notifications
            after = page.next
        return rows

    def delete_notification(self, notification_id: str) -> None:
        """Delete a notification, with its events."""
        self.call(DeletedNotification, "DELETE", f"notifications/{notification_id}")

    def notification_events(self, status: str | None = None, limit: int | None = None) -> list[OutboxEvent]:
        """Events that were sent or are to be sent, newest first: of one status where given, at most ``limit``."""
        return list(islice(self._events(status), limit))

    def _events(self, status: str | None) -> Iterator[OutboxEvent]:
        after: str | None = ""
        while after is not None:
            query = _query(status=status, limit=PAGE_SIZE, after=after or None)
            page = self.call(OutboxPage, "GET", f"notifications/events?{query}")
            yield from page.events
            after = page.next

    def notification_event(self, event_id: str) -> OutboxEvent:
        """The state of an event."""
        return self.call(OutboxEvent, "GET", f"notifications/events/{parse_id(event_id, _EVENT)}")

    def resend_event(self, event_id: str) -> int:
        """Send a dead event again. Returns the number of events that are sent. Raises ``Conflict`` for one that is not
        dead."""
        return self.call(ResentEvent, "POST", f"notifications/events/{parse_id(event_id, _EVENT)}/resend", {}).events

    def test_notification(self, notification_id: str) -> str:
        """Send a test. Returns the id of its event."""
        return self.call(NotificationTest, "POST", f"notifications/{notification_id}/test", {}).event_id

    # Keys

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        return self.call(KeyList, "GET", "keys").keys

    def create_key(
        self,
        scope: Scope,
        target: str | None,
        name: str,
        expires_at: datetime | None = None,
        role: Role | None = None,
    ) -> CreatedKey:
        """A new key; only this answer holds it (``key``). ``role`` is for scope platform."""
        return self.call(CreatedKey, "POST", "keys", KeyRequest(scope, name, target, expires_at, role))

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key for good; False when it was revoked before."""
        return self.call(RevokedKey, "POST", f"keys/{parse_id(key_id, _KEY)}/revoke", {}).revoked

    # Executions

    def executions(self, *, status: str | None, limit: int) -> list[ListedExecution]:
        """The newest executions."""
        return self.call(ExecutionPage, "GET", f"executions?{_query(limit=limit, status=status)}").executions

    def open_executions(self, workflow_id: str) -> list[str]:
        """Ids of the workflow's executions that have not ended."""
        ids = []
        for status in OPEN:
            query = _query(workflow_id=workflow_id, status=status.value, limit=PAGE_SIZE)
            ids += [row.id for row in self.call(ExecutionPage, "GET", f"executions?{query}").executions]
        return ids

    def create_execution(self, workflow_id: str, *, use_file_history: bool) -> str:
        """Start an execution; a repeat after a lost answer starts no second one. Returns its id."""
        request = ExecutionRequest(use_file_history=use_file_history)
        return self._once(StartedExecution, f"workflows/{workflow_id}/executions", request).execution_id

    def execution(self, execution_id: str) -> ExecutionState:
        """The state of an execution."""
        return self.call(ExecutionState, "GET", _execution(execution_id))

    def files(self, execution_id: str, *, status: str | None = None, limit: int | None = None) -> list[FileOfExecution]:
        """Its files by number, those of one status where given, at most ``limit``."""
        rows: list[FileOfExecution] = []
        after: int | None = 0
        while after is not None and (limit is None or len(rows) < limit):
            query = _query(after=after, limit=min(limit or PAGE_SIZE, PAGE_SIZE), status=status)
            page = self.call(FilePage, "GET", f"{_execution(execution_id)}/files?{query}")
            rows += page.files
            after = page.next
        return rows[:limit]

    def evidence(self, execution_id: str, file_execution_id: str) -> FileEvidence:
        """Where the values of a file's result stand."""
        return self.call(FileEvidence, "GET", f"{_execution(execution_id)}/files/{file_execution_id}/evidence")

    def results(self, execution_id: str) -> ExecutionResults:
        """The result items of an API's execution, in the order of the request."""
        return self.call(ExecutionResults, "GET", f"{_execution(execution_id)}/results")

    def wait_reasons(self, execution_id: str) -> WaitReasons:
        """Why the execution and its open files are not being worked on."""
        return self.call(WaitReasons, "GET", f"{_execution(execution_id)}/why")

    def verify(self, execution_id: str) -> Verification:
        """Compare the destination with what was delivered; takes as long as reading the destination does."""
        return self.call(Verification, "GET", f"{_execution(execution_id)}/verify", timeout=_VERIFY_SECONDS)

    def retry_execution(self, execution_id: str) -> RetryResult:
        """Run the failed and stopped files of an ended execution again; a repeat after a lost answer starts no
        second one. Raises ``Conflict`` when there is nothing to retry."""
        return self._once(RetryResult, f"{_execution(execution_id)}/retry", {})

    def stop_execution(self, execution_id: str, *, wait: float = 5.0, abandoned: bool = False) -> StopResult:
        """Request a stop and wait for it up to ``wait`` seconds (at most 10); harmless on an execution that has
        ended. ``abandoned``: none of its workers is alive, so it waits for none."""
        query = _query(wait=min(max(wait, 0.0), 10.0), abandoned=str(abandoned).lower())
        return self.call(StopResult, "POST", f"{_execution(execution_id)}/stop?{query}", {})

    def logs(self, execution_id: str, level: LogLevel = LogLevel.INFO) -> Iterator[LogLine]:
        """The existing lines of its log, in their order."""
        after: int | None = 0
        while after is not None:
            query = _query(after=after, limit=PAGE_SIZE, level=level.value)
            page = self.call(LogPage, "GET", f"{_execution(execution_id)}/logs?{query}")
            yield from page.logs
            after = page.next

    def events_address(self, execution_id: str, after: int, level: LogLevel) -> tuple[str, dict[str, str]]:
        """The WebSocket address at which its log is followed, and the headers of that call."""
        path = f"{self._transport.base}/{_execution(execution_id)}/events?{_query(after=after, level=level.value)}"
        return "ws" + path.removeprefix("http"), dict(self._transport.headers)

    def _once[Answer](self, answer: type[Answer], path: str, body: object) -> Answer:
        key = {"Idempotency-Key": new_id()}
        try:
            return self._transport.call(answer, "POST", path, body, headers=key)
        except BackendUnavailable:
            return self._transport.call(answer, "POST", path, body, headers=key)


def _execution(execution_id: str) -> str:
    return f"executions/{parse_id(execution_id, _EXECUTION)}"


def _query(**parameters: object) -> str:
    """A query string of the parameters that are not None."""
    return urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
