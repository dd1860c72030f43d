"""Tool runs at the runner."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import structlog

from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import DocfleetError, RunnerUnavailable, ToolFailed, ToolStopped
from docfleet.core.faults import point
from docfleet.core.runs import RunLine, RunRequest, RunState
from docfleet.workers.shared.clients.transport import Transport

log = structlog.get_logger()

WAIT_SECONDS = 5.0
KILL_SECONDS = 5.0
RESTART_SECONDS = 60.0
"""How long a runner may take to restart, with the run in it."""
RESTART_WAIT_SECONDS = 1.0


class ToolClient:
    """Runs tools and waits for their verdict."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def run(
        self,
        run_id: str,
        request: RunRequest,
        *,
        should_stop: Callable[[], bool],
        on_lines: Callable[[list[RunLine]], None],
    ) -> RunState:
        """Run to the end. A short run takes one call. A long one is polled every few seconds, and
        killed when ``should_stop`` returns true. A run that was lost with its runner is sent again. Raises the
        ``ToolError`` the run ended with. ``on_lines`` gets each line of the tool once, as soon as it is known."""
        interrupted: float | None = None
        published = 0
        while True:
            # PUT again, not GET: it is idempotent, and a restarted runner starts the run anew.
            state = self._put(run_id, request)
            published = min(published, len(state.lines))  # a run that was started anew writes its lines again
            if state.lines[published:]:
                on_lines(state.lines[published:])
                published = len(state.lines)
            if state.is_final and not _is_interrupted(state):
                break
            if should_stop():
                state = self.kill(run_id)
                break
            if not state.is_final:
                point("tool.running", run_id)
                interrupted = None
                continue
            interrupted = interrupted or time.monotonic()
            if time.monotonic() - interrupted >= RESTART_SECONDS:
                break
            log.warning("run.interrupted", run_id=run_id)
            time.sleep(RESTART_WAIT_SECONDS)
        if state.phase == "SUCCEEDED":
            return state
        if state.phase == "STOPPED":
            raise ToolStopped
        raise _tool_error(state)

    def kill(self, run_id: str) -> RunState:
        """Stop the run and everything it started; a call that waits for the run returns at once. May be called from
        another thread than the waiting one, so it does not queue at the breaker behind that call."""
        raw = self._transport.request("DELETE", f"v1/runs/{run_id}", timeout=KILL_SECONDS, final=True)
        return msgspec.json.decode(raw, type=RunState)

    def _put(self, run_id: str, request: RunRequest) -> RunState:
        raw = self._transport.request(
            "PUT", f"v1/runs/{run_id}?wait={WAIT_SECONDS:g}", body=request, timeout=WAIT_SECONDS + 25.0
        )
        try:
            return msgspec.json.decode(raw, type=RunState)
        except msgspec.DecodeError as error:
            raise RunnerUnavailable(f"the runner's answer cannot be read: {error}") from error


def _is_interrupted(state: RunState) -> bool:
    """True for a run that failed because its runner was shut down: no verdict on the document."""
    return state.phase == "FAILED" and state.error_code == RunnerUnavailable.code


def _tool_error(state: RunState) -> DocfleetError:
    message = state.error or ToolFailed().message
    return error_from_code(state.error_code or ToolFailed.code, message)
