"""The management API, as the commands use it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from docfleet.cli.embedded.system import Addresses
from docfleet.core.errors import (
    BackendUnavailable,
    DocfleetError,
    InvalidInput,
    NotFound,
    UnsafePath,
    error_from_code,
)
from docfleet.core.execution import ExecutionInfo
from docfleet.core.ids import new_id, parse_id
from docfleet.core.log_events import LogLevel
from docfleet.core.schedule import Schedule
from docfleet.core.status import OPEN
from docfleet.core.storage import safe_segment

ORGANIZATION_ID = "default"
ORGANIZATION_NAME = "Default"
PAGE_FILES = 500
_EXECUTION = "the execution id (see `docfleet executions list`)"
_EVENT = "the event id (see `docfleet notifications list --dead`)"
_KEY = "the key id (see `docfleet keys list`)"
_TIMEOUT_SECONDS = 20.0
_VERIFY_SECONDS = 3600.0
_STRANGER = "what answers at {} is not a Docfleet backend: check --url"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class FileOfExecution(msgspec.Struct):
    """One file of an execution, as the management API lists it."""

    file_execution_id: str
    file_number: int
    name: str
    path: str
    status: str
    error: str | None = None
    error_code: str | None = None
    outputs: list[str] = []
    execution_time: float | None = None
    attempt: int = 0


class ExecutionState(msgspec.Struct):
    """An execution, the number of its files by status, and the number of skipped ones by reason. ``stopping``: it
    begins nothing more and ends when no worker is at a file of it. ``retries`` are executions of its failed files."""

    execution: ExecutionInfo
    counts: dict[str, int] = {}
    skipped: dict[str, int] = {}
    retries: list[str] = []
    stopping: bool = False


class Stop(ExecutionState):
    """What became of a stop: ``outcome`` is stopped, stopping (a worker is still at a file) or already_ended."""

    outcome: str = "stopped"


class Retry(msgspec.Struct):
    """The execution that takes up the failed and stopped files of ``retry_of``, without those that were ``skipped`` (by
    reason). ``listing_complete``: the old one knew all files of its source."""

    execution_id: str
    status: str
    retry_of: str
    total_files: int
    skipped: dict[str, int] = {}
    listing_complete: bool = True


class Planned(msgspec.Struct):
    """What a PUT would do; a workflow's says which fields become what."""

    created: bool
    changed: list[str] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class Applied(msgspec.Struct):
    """What a PUT did; ``url`` is a deployment's or pipeline's."""

    created: bool
    changed: bool
    url: str | None = None


class ManagementClient:
    """Calls one backend for one organization. Errors are those of ``docfleet.core.errors``, by code."""

    def __init__(self, addresses: Addresses, organization_id: str = ORGANIZATION_ID) -> None:
        self.organization_id = organization_id
        self._base = f"{addresses.backend_url}/api/v1"
        self._headers = {
            "Authorization": f"Bearer {addresses.key}",
            "X-Organization-ID": organization_id,
            "Content-Type": "application/json",
        }

    def put_organization(self) -> None:
        """Make the organization, where it is not there."""
        name = ORGANIZATION_NAME if self.organization_id == ORGANIZATION_ID else self.organization_id
        self._call("PUT", f"organizations/{self.organization_id}", {"name": name})

    def create_organization(self, organization_id: str, name: str) -> bool:
        """Make an organization or rename it; True when it is new. Raises ``InvalidInput``."""
        try:
            safe_segment(organization_id)
        except UnsafePath as error:
            raise InvalidInput(
                f"not an organization id: {organization_id!r:.120}; use letters, digits, '_', '-' and '.', at most 100"
            ) from error
        return bool(self._call("PUT", f"organizations/{organization_id}", {"name": name})["created"])

    def put_workflow(self, document: dict[str, Any]) -> str:
        """Create or change the workflow of this name; returns its id."""
        return str(self._call("PUT", "workflows", document)["workflow_id"])

    def plan(self, kind: str, document: dict[str, Any]) -> Planned:
        """What ``apply`` would do. Raises what ``apply`` would raise."""
        return msgspec.convert(self._call("PUT", f"{kind}?dry_run=true", document), Planned, strict=False)

    def apply(self, kind: str, document: dict[str, Any]) -> Applied:
        """Create or change one of the ``kind`` workflows, deployments or pipelines."""
        return msgspec.convert(self._call("PUT", kind, document), Applied, strict=False)

    def listing(self, kind: str) -> list[dict[str, Any]]:
        """All deployments, pipelines, keys or organizations."""
        answer = self._call("GET", kind)
        found: list[dict[str, Any]] = answer.get(kind) or answer.get("items") or []
        return found

    def pipeline(self, name: str) -> dict[str, Any]:
        """The pipeline of this name. Raises ``NotFound``."""
        found = next((row for row in self.listing("pipelines") if row["name"] == name), None)
        if found is None:
            raise NotFound(f"there is no pipeline {name!r:.120}: see `docfleet pipelines list`")
        return found

    def delete(self, kind: str, item_id: str) -> None:
        """Take away one of the ``kind`` pipelines or notifications."""
        self._call("DELETE", f"{kind}/{item_id}")

    def set_active(self, pipeline_id: str, *, active: bool) -> dict[str, Any]:
        """Resume or pause a pipeline; the pipeline as it is then."""
        return self._call("POST", f"pipelines/{pipeline_id}/{'resume' if active else 'pause'}", {})

    def run_pipeline(self, pipeline_id: str) -> str:
        """Run it now; a repeat of a lost answer starts no second run. The execution's id. Raises ``Conflict`` while
        it is paused."""
        return str(self._once(f"pipelines/{pipeline_id}/run", {})["execution_id"])

    def preview(self, schedule: Schedule, count: int) -> list[dict[str, str]]:
        """The next runs of a schedule: ``time`` in its zone, and ``utc``. Raises ``InvalidInput`` naming the fault."""
        runs: list[dict[str, str]] = self._call(
            "POST", f"pipelines/preview?count={count}", msgspec.to_builtins(schedule)
        )["runs"]
        return runs

    def preview_pipeline(self, pipeline_id: str, count: int) -> list[dict[str, str]]:
        """The next runs of a pipeline. Raises ``InvalidInput`` when it has no schedule."""
        runs: list[dict[str, str]] = self._call("GET", f"pipelines/{pipeline_id}/preview?count={count}")["runs"]
        return runs

    def ticks(self, pipeline_id: str, limit: int) -> list[dict[str, Any]]:
        """What became of the newest times of its schedule."""
        found: list[dict[str, Any]] = self._call("GET", f"pipelines/{pipeline_id}/ticks?limit={limit}")["ticks"]
        return found

    def notifications(self) -> list[dict[str, Any]]:
        """All notifications, secrets masked."""
        return list(self._rows("notifications", "notifications"))

    def notification_events(self, status: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """What was told or is to be told, newest first: of one status where given, at most ``limit``."""
        query = {"status": status} if status else {}
        return list(islice(self._rows("notifications/events", "events", query), limit))

    def notification_event(self, event_id: str) -> dict[str, Any]:
        """How far an event is."""
        return self._call("GET", f"notifications/events/{parse_id(event_id, _EVENT)}")

    def resend_event(self, event_id: str) -> int:
        """Have a dead event sent again; how many events go. Raises ``Conflict`` for one that is not dead."""
        return int(self._call("POST", f"notifications/events/{parse_id(event_id, _EVENT)}/resend", {})["events"])

    def test_notification(self, notification_id: str) -> str:
        """Send a test; the id of its event."""
        return str(self._call("POST", f"notifications/{notification_id}/test", {})["event_id"])

    def absolute(self, url: str) -> str:
        """``url`` of an answer, which may lack the host."""
        return urllib.parse.urljoin(self._base, url)

    def create_key(self, scope: str, target: str | None, name: str, expires_at: str | None) -> dict[str, Any]:
        """A new key; only this answer holds it (``key``)."""
        body = {"scope": scope, "target": target, "name": name}
        return self._call("POST", "keys", {**body, "expires_at": expires_at} if expires_at else body)

    def revoke_key(self, key_id: str) -> bool:
        """End a key for good; False when it was ended before."""
        return bool(self._call("POST", f"keys/{parse_id(key_id, _KEY)}/revoke", {})["revoked"])

    def executions(self, *, status: str | None, limit: int) -> list[ExecutionInfo]:
        """The newest executions."""
        query = {"limit": limit} | ({"status": status} if status else {})
        rows = self._call("GET", f"executions?{urllib.parse.urlencode(query)}")["executions"]
        return msgspec.convert(rows, list[ExecutionInfo], strict=False)

    def results(self, execution_id: str) -> dict[str, Any]:
        """The result items of an API's execution, in the order of the request."""
        return self._call("GET", f"executions/{parse_id(execution_id, _EXECUTION)}/results")

    def verify(self, execution_id: str) -> dict[str, Any]:
        """Compare the destination with what was delivered; takes as long as reading the destination does."""
        path = f"executions/{parse_id(execution_id, _EXECUTION)}/verify"
        return self._call("GET", path, timeout=_VERIFY_SECONDS)

    def create_execution(self, workflow_id: str, *, use_file_history: bool) -> str:
        """Start an execution; a repeat of a lost answer starts no second one. Returns its id."""
        answer = self._once(f"workflows/{workflow_id}/executions", {"use_file_history": use_file_history})
        return str(answer["execution_id"])

    def retry_execution(self, execution_id: str) -> Retry:
        """Run the failed and stopped files of an ended execution again; a repeat of a lost answer starts no second
        one. Raises ``Conflict`` when there is nothing to retry."""
        path = f"executions/{parse_id(execution_id, _EXECUTION)}/retry"
        return msgspec.convert(self._once(path, {}), Retry, strict=False)

    def execution(self, execution_id: str) -> ExecutionState:
        """How far it is."""
        return msgspec.convert(
            self._call("GET", f"executions/{parse_id(execution_id, _EXECUTION)}"), ExecutionState, strict=False
        )

    def files(self, execution_id: str, *, status: str | None = None, limit: int | None = None) -> list[FileOfExecution]:
        """Its files by number, those of one status where given, at most ``limit``."""
        found: list[FileOfExecution] = []
        for page in self._pages(execution_id, status, min(limit or PAGE_FILES, PAGE_FILES)):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def logs(self, execution_id: str, level: LogLevel = LogLevel.INFO) -> Iterator[dict[str, Any]]:
        """The lines of its log there are, in their order."""
        path = f"executions/{parse_id(execution_id, _EXECUTION)}/logs"
        after: int | None = 0
        while after is not None:
            query = urllib.parse.urlencode({"after": after, "limit": PAGE_FILES, "level": level.value})
            answer = self._call("GET", f"{path}?{query}")
            yield from answer["logs"]
            after = answer["next"]

    def events_address(self, execution_id: str, after: int, level: LogLevel) -> tuple[str, dict[str, str]]:
        """Where its log is followed over a WebSocket, and the headers that are needed there."""
        query = urllib.parse.urlencode({"after": after, "level": level.value})
        path = f"{self._base}/executions/{parse_id(execution_id, _EXECUTION)}/events?{query}"
        headers = {name: value for name, value in self._headers.items() if name != "Content-Type"}
        return "ws" + path.removeprefix("http"), headers

    def open_executions(self, workflow_id: str) -> list[str]:
        """Ids of the workflow's executions that have not ended."""
        found = []
        for status in OPEN:
            query = urllib.parse.urlencode({"workflow_id": workflow_id, "status": status.value, "limit": PAGE_FILES})
            found += [str(row["id"]) for row in self._call("GET", f"executions?{query}")["executions"]]
        return found

    def stop_execution(self, execution_id: str, *, wait: float = 5.0, abandoned: bool = False) -> Stop:
        """Ask for STOPPED and wait for it up to ``wait`` seconds (at most 10); harmless on an execution that has
        ended. ``abandoned``: no worker of it lives, so none is waited for."""
        query = urllib.parse.urlencode({"wait": min(max(wait, 0.0), 10.0), "abandoned": str(abandoned).lower()})
        path = f"executions/{parse_id(execution_id, _EXECUTION)}/stop?{query}"
        return msgspec.convert(self._call("POST", path, {}), Stop, strict=False)

    def _once(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        key = {"Idempotency-Key": new_id()}
        try:
            return self._call("POST", path, body, key)
        except BackendUnavailable:
            return self._call("POST", path, body, key)

    def _rows(self, path: str, key: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of all pages of a list."""
        after: str | None = ""
        while after is not None:
            words = {**(query or {}), "limit": PAGE_FILES} | ({"after": after} if after else {})
            answer = self._call("GET", f"{path}?{urllib.parse.urlencode(words)}")
            yield from answer[key]
            after = answer["next"]

    def _pages(self, execution_id: str, status: str | None, limit: int) -> Iterator[list[FileOfExecution]]:
        after: int | None = 0
        while after is not None:
            query = {"after": after, "limit": limit} | ({"status": status} if status else {})
            answer = self._call("GET", f"executions/{execution_id}/files?{urllib.parse.urlencode(query)}")
            yield msgspec.convert(answer["files"], list[FileOfExecution], strict=False)
            after = answer.get("next")

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._base}/{path}", data=data, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with _OPENER.open(request, timeout=timeout) as answer:
                content = answer.read()
            found = json.loads(content or b"{}")
        except urllib.error.HTTPError as error:
            raise _problem(error) from error
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise BackendUnavailable(
                f"the backend at {self._base} does not answer: {cause}; check that it runs and that --url is right"
            ) from error
        except ValueError as error:
            raise BackendUnavailable(_STRANGER.format(self._base)) from error
        return found if isinstance(found, dict) else {"items": found}


def _problem(error: urllib.error.HTTPError) -> DocfleetError:
    """The error that an ``application/problem+json`` answer describes."""
    text = error.read().decode(errors="replace")
    try:
        problem = json.loads(text)
        detail = str(problem.get("detail") or problem.get("title") or text)
        code = str(problem.get("code", ""))
    except (ValueError, AttributeError):
        detail, code = f"HTTP {error.code}: {text[:300]}", ""
    if not code and error.code < 500:
        return BackendUnavailable(f"{_STRANGER.format(error.url)} ({detail})")
    return error_from_code(code, detail)
