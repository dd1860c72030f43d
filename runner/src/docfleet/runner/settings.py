"""Settings of the runner."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings

_MIN_KEY_LENGTH = 32


class RunnerSettings(msgspec.Struct, frozen=True, rename="upper", kw_only=True):
    """Read from the environment; the variable has the field's name in upper case. Times are seconds."""

    runner_api_key: str
    execution_storage_root: str
    runner_host: str = "127.0.0.1"
    runner_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 5002
    runner_work_dir: str = msgspec.field(default_factory=tempfile.gettempdir)
    runner_concurrency: Annotated[int, msgspec.Meta(ge=1, le=1024)] = msgspec.field(
        default_factory=lambda: os.cpu_count() or 1
    )
    runner_grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    run_retention_seconds: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    run_retention_count: Annotated[int, msgspec.Meta(ge=1)] = 1000
    tool_registry_config_path: str | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"

    def __post_init__(self) -> None:
        if len(self.runner_api_key) < _MIN_KEY_LENGTH:
            raise ConfigurationError(f"setting RUNNER_API_KEY is too short: use {_MIN_KEY_LENGTH} characters or more")
        for name, path in (
            ("EXECUTION_STORAGE_ROOT", self.execution_storage_root),
            ("RUNNER_WORK_DIR", self.runner_work_dir),
        ):
            if not Path(path).is_absolute():
                raise ConfigurationError(f"setting {name} is {path!r}: it has to be an absolute path")

    def __repr__(self) -> str:
        return f"RunnerSettings(http://{self.runner_host}:{self.runner_port})"


def runner_settings() -> RunnerSettings:
    """The settings of this process. Raises ``ConfigurationError`` naming the variable."""
    return read_settings(RunnerSettings, prefixes=("RUNNER_", "RUN_RETENTION_"))
