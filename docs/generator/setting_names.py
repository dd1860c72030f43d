"""`core/setting_names.py`: which process reads which setting. No process can import all settings types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import docfleet.core
from docfleet.core.names import WorkerType
from docfleet.core.settings import variables
from docfleet.workers.shared.infrastructure.config.settings import own_variables
from docs.generator.settings import settings_types

PATH = Path(docfleet.core.__path__[0]) / "setting_names.py"
PROCESSES = {
    "BackendSettings": "backend",
    "WorkerSettings": "worker",
    "RunnerSettings": "runner",
    "ConnectionSettings": "commands",
    "SystemSettings": "commands",
}
"""Which process reads a type. Faults for tests are left out: every process reads those."""
_HEAD = '''"""Which process reads which setting. Written by `make docs` from the settings types: change those.

``commands`` are `docfleet run`, `docfleet dev` and those that call a backend; ``worker`` stands for every worker type,
which has variables of its own besides.
"""

from __future__ import annotations

SETTINGS: dict[str, frozenset[str]] = {
'''


def settings_of_processes() -> Mapping[str, set[str]]:
    """The names of the variables by process."""
    found: dict[str, set[str]] = {}
    for kind in settings_types():
        if kind.__name__ in PROCESSES:
            found.setdefault(PROCESSES[kind.__name__], set()).update(variables(kind))
    return found | {worker.value: set(own_variables(worker)) for worker in WorkerType}


def _lines() -> Iterator[str]:
    for process, names in settings_of_processes().items():
        yield f'    "{process}": frozenset('
        yield "        {"
        yield from (f'            "{name}",' for name in sorted(names))
        yield "        }"
        yield "    ),"


def render() -> str:
    """The module."""
    return _HEAD + "\n".join(_lines()) + "\n}\n"
