"""What the end of a tool's process means for its document."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.errors import ToolOutputTooLarge
from docfleet.core.runs import RunLimits
from docfleet.runner.engines.wire import RunEnded
from docfleet.runner.limits import FolderSize
from docfleet.runner.logs import Output
from docfleet.runner.verdict import check_result, failure


def verdict(
    size: FolderSize = FolderSize(0, 0), said: bytes = b"", free: int = 2**40, **ended: Any
) -> tuple[str, str] | None:
    output = Output()
    output.feed(said)
    output.finish()
    outcome = RunEnded(**{"run_id": "r", "exit_code": None, "signal": None, **ended})
    error = failure(outcome, output, RunLimits(), size, 600 * 1024**2, free)
    return (error.code, error.message) if error else None


GIGABYTE = 1024**3


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"signal": signal.SIGSEGV}, "tool_crashed"),
        ({"signal": signal.SIGSEGV, "max_rss_bytes": 2 * GIGABYTE}, "tool_memory_exceeded"),
        ({"signal": signal.SIGABRT, "max_rss_bytes": 2 * GIGABYTE}, "tool_memory_exceeded"),
        ({"signal": signal.SIGKILL}, "tool_killed"),
        ({"signal": signal.SIGTERM}, "tool_killed"),
        ({"signal": signal.SIGABRT}, "tool_crashed"),
        ({"signal": 64}, "tool_crashed"),
        ({"signal": signal.SIGKILL, "cpu_seconds": 605.0}, "tool_timeout"),
        ({"signal": signal.SIGXCPU}, "tool_timeout"),
        ({"signal": signal.SIGXFSZ}, "tool_output_too_large"),
        ({"signal": signal.SIGKILL, "breach": "wall"}, "tool_timeout"),
        ({"signal": signal.SIGKILL, "breach": "memory"}, "tool_memory_exceeded"),
        ({"signal": signal.SIGKILL, "breach": "output"}, "tool_output_too_large"),
        ({"signal": signal.SIGKILL, "breach": "processes"}, "tool_failed"),
        ({"exit_code": 1, "said": b"Traceback\nMemoryError"}, "tool_memory_exceeded"),
        ({"exit_code": 1, "said": b'{"type":"LOG","level":"ERROR","log":"x","error_code":"made_up"}'}, "tool_failed"),
        ({"exit_code": 1, "said": b'{"type":"LOG","level":"ERROR","log":"x"}'}, "tool_failed"),
        ({"exit_code": 0, "size": FolderSize(GIGABYTE, 5)}, "tool_output_too_large"),
        ({"exit_code": 1, "size": FolderSize(512 * 1024**2, 512 * 1024**2)}, "tool_output_too_large"),
        ({"error_number": errno.EAGAIN}, "resource_exhausted"),
        ({"error_number": errno.ENOMEM}, "resource_exhausted"),
        ({"error_number": errno.EPERM}, "tool_failed"),
    ],
)
def test_verdicts(ended: dict[str, Any], code: str) -> None:
    found = verdict(**ended)
    assert found is not None and found[0] == code
    assert len(found[1]) > (0 if "said" in ended else 10)


@pytest.mark.parametrize(
    "code",
    ["dependency_error", "backend_unavailable", "runner_unavailable", "cache_unavailable", "tool_stopped", "fenced"],
)
def test_a_tool_cannot_say_that_somebody_else_is_at_fault(code: str) -> None:
    said = b'{"type":"LOG","level":"ERROR","log":"the model does not answer","error_code":"%s"}\n' % code.encode()
    assert verdict(said=said, exit_code=1) == ("tool_failed", "the model does not answer")


def test_success_is_no_failure() -> None:
    assert verdict(exit_code=0, said=b'{"type":"LOG","level":"ERROR","log":"only a line"}') is None


FULL = b'{"type":"LOG","level":"ERROR","log":"there is no space left","error_code":"storage_full"}\n'


def test_a_tool_without_space_is_believed_where_there_is_none() -> None:
    found = verdict(said=FULL, exit_code=1, free=1024)
    assert found == ("storage_full", "on the runner, there is no space left")
    assert verdict(said=FULL, exit_code=1) == ("tool_failed", "there is no space left")


def test_a_limit_names_time_limit_and_remedy() -> None:
    found = verdict(said=b'{"type":"PROGRESS","done":12,"total":900}\n', signal=signal.SIGKILL, breach="wall")
    assert found is not None
    for word in ("600 s", "12 of 900 pages", "TOOL_TIMEOUT_SECONDS"):
        assert word in found[1]


def test_a_result_has_a_bound_of_its_own(tmp_path: Path) -> None:
    infile = tmp_path / "INFILE"
    check_result(infile, RunLimits(result_bytes=10))
    infile.write_bytes(b"x" * 10)
    check_result(infile, RunLimits(result_bytes=10))
    infile.write_bytes(b"x" * 11)
    with pytest.raises(ToolOutputTooLarge, match=r"11 bytes.*10 bytes.*TOOL_RESULT_BYTES"):
        check_result(infile, RunLimits(result_bytes=10))
