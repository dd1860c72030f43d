"""The meanings of exit codes and log events: the table ``meanings.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
EXIT_CODES: dict[int, str] = {int(number): meaning for number, meaning in _TABLE["exit_codes"].items()}
LOG_EVENTS: dict[str, str] = _TABLE["log_events"]
