"""``docfleet config PROCESS``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click
import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.exit_codes import ExitCode
from docfleet.core.names import WorkerType
from docfleet.core.settings import environment

PROCESSES = ("backend", "runner", *(str(worker) for worker in WorkerType))
_SECRET = re.compile(r"KEY|PASS|SECRET|TOKEN")
_LIMIT = re.compile(r"SECONDS|COUNT|LIMIT|BYTES")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


class EffectiveSetting(msgspec.Struct):
    """One setting: its variable, its value as text (secrets masked), and ``environment NAME``, ``default`` or
    ``missing``."""

    name: str
    value: str | None
    origin: str


@click.command("config")
@click.argument("process", type=click.Choice(PROCESSES))
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
def command(process: str, json_output: bool) -> int:
    """Show every setting of PROCESS (backend, runner or a worker type), its value here and its origin.

    Secrets are masked. Exit code 2 when the process would refuse these settings.
    """
    settings, read, overrides = _settings_of(process)
    entries = effective(settings, environment(), overrides)
    if json_output:
        click.echo(json.dumps([msgspec.to_builtins(entry) for entry in entries], indent=2))
    else:
        width = max(len(entry.name) for entry in entries)
        values = max(len(entry.value or "-") for entry in entries)
        for entry in entries:
            click.echo(f"{entry.name:<{width}}  {entry.value or '-':<{min(values, 60)}}  {entry.origin}")
    try:
        read()
    except ConfigurationError as error:
        click.echo(f"docfleet: {process} would refuse this: {error.message}", err=True)
        return ExitCode.WRONG_CONFIGURATION
    return ExitCode.SUCCESS


def effective(
    settings: type[msgspec.Struct], source: Mapping[str, str], overrides: Callable[[str], str] = lambda name: name
) -> list[EffectiveSetting]:
    """The settings of a type as ``source`` gives them. ``overrides`` names the variable that takes precedence over
    another."""
    entries = []
    for field in msgspec.structs.fields(settings):
        name = field.encode_name
        variable = next((candidate for candidate in (overrides(name), name) if source.get(candidate, "").strip()), None)
        if variable is not None:
            entry = EffectiveSetting(name, masked(name, source[variable]), f"environment {variable}")
        elif field.required:
            entry = EffectiveSetting(name, None, "missing: it has to be set")
        else:
            entry = EffectiveSetting(name, _default(field), "default")
        entries.append(entry)
    return entries


def masked(name: str, value: str) -> str:
    """``value`` without secrets: they are shown as stars, as is the password of a URL."""
    if _SECRET.search(name) and not _LIMIT.search(name):
        return "********"
    if _URL.match(value):
        parts = urlsplit(value)
        if "@" in parts.netloc:
            login, _, host = parts.netloc.rpartition("@")
            user = login.partition(":")[0]
            return urlunsplit(parts._replace(netloc=f"{user}:********@{host}"))
    return value


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    value: Any = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    return None if value is None else str(value)


def _settings_of(process: str) -> tuple[type[msgspec.Struct], Callable[[], object], Callable[[str], str]]:
    """The type a process reads, how it reads it, and the name that overrides a variable."""
    if process == "backend":
        from docfleet.backend.settings import BackendSettings

        return BackendSettings, BackendSettings.read, lambda name: name
    if process == "runner":
        from docfleet.runner.settings import RunnerSettings, runner_settings

        return RunnerSettings, runner_settings, lambda name: name

    from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings, own_variables, worker_settings

    worker = WorkerType(process)
    own = {common: variable for variable, common in own_variables(worker).items()}
    return WorkerSettings, lambda: worker_settings(worker), lambda name: own.get(name, name)
