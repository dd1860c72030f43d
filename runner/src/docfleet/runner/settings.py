"""Settings of the runner."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings

PREFIXES = ("RUNNER_", "RUN_RETENTION_")
"""An unknown variable with one of these prefixes is a misspelt setting."""
_MIN_KEY_LENGTH = 32


class RunnerSettings(msgspec.Struct, frozen=True, rename="upper", kw_only=True):
    """Read from the environment; the variable has the field's name in upper case. Times are seconds."""

    runner_api_key: str
    """The key that workers send, at least 32 characters."""
    execution_storage_root: str
    """The folder that backend, runner and workers share, an absolute path."""
    runner_host: str = "127.0.0.1"
    """The address the runner listens on."""
    runner_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 5002
    """The port the runner listens on; 0 takes a free one."""
    runner_max_connections: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """Connections that may be open at once. Beyond, the one that has sent no complete request for the longest time is
    closed."""
    runner_work_dir: str = msgspec.field(default_factory=tempfile.gettempdir)
    """Where the runner keeps the private folders of its runs, an absolute path. Unset, the system's temporary folder.
    """
    runner_concurrency: Annotated[int, msgspec.Meta(ge=1, le=1024)] = msgspec.field(
        default_factory=lambda: os.cpu_count() or 1
    )
    """Tools that run at once; further runs wait. Unset, one per processor."""
    runner_long_runs: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    """Runs past their first limit (`TOOL_FIRST_SECONDS`) that may go on at once, within RUNNER_CONCURRENCY. Another one
    is ended, and its file waits. Unset, half of RUNNER_CONCURRENCY, at least one."""
    runner_grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    """Seconds from SIGTERM until the runner ends its tools. The workers send those runs again."""
    run_retention_seconds: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    """Seconds that the state of an ended run can be queried."""
    run_retention_count: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """The most ended runs that are remembered."""
    tool_registry_config_path: str | None = None
    """A folder of tool descriptors, in addition to the installed tools."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious log line that is written."""
    log_format: Literal["console", "json"] = "console"
    """`json` writes one object per line, `console` is for people."""

    def __post_init__(self) -> None:
        if len(self.runner_api_key) < _MIN_KEY_LENGTH:
            raise ConfigurationError(f"setting RUNNER_API_KEY is too short: use {_MIN_KEY_LENGTH} characters or more")
        for name, path in (
            ("EXECUTION_STORAGE_ROOT", self.execution_storage_root),
            ("RUNNER_WORK_DIR", self.runner_work_dir),
        ):
            if not Path(path).is_absolute():
                raise ConfigurationError(f"setting {name} is {path!r}: it has to be an absolute path")

    @property
    def long_runs(self) -> int:
        """The number of places for long runs."""
        return self.runner_long_runs or max(1, self.runner_concurrency // 2)

    def __repr__(self) -> str:
        return f"RunnerSettings(http://{self.runner_host}:{self.runner_port})"


def runner_settings() -> RunnerSettings:
    """The settings of this process. Raises ``ConfigurationError`` naming the variable."""
    return read_settings(RunnerSettings, prefixes=PREFIXES)
