"""Settings: read once from the environment into a frozen type, and handed in.

The only module of Docfleet that reads ``os.environ``. A settings type is a frozen ``msgspec.Struct``; the
variable of field ``broker_url`` is ``PREFIX + BROKER_URL`` unless the type renames it with
``msgspec.field(name="CELERY_BROKER_BASE_URL")``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.masking import remember_settings
from docfleet.core.names import WorkerType
from docfleet.core.setting_names import SETTINGS

EVERY_SETTING = frozenset[str]().union(*SETTINGS.values())
"""The settings of all processes."""
MIN_KEY_LENGTH = 32
SAMPLE_KEYS = frozenset({"dev-internal-key-123", "your-internal-api-key", "change-me", "changeme", "secret"})
"""Keys that are printed in samples and manuals, and so are public."""


def environment() -> Mapping[str, str]:
    """The process environment, as it is now."""
    return os.environ


def variables(settings: type[msgspec.Struct]) -> tuple[str, ...]:
    """The environment variables a settings type reads."""
    return tuple(field.encode_name for field in msgspec.structs.fields(settings))


def read_settings[S: msgspec.Struct](
    settings: type[S],
    source: Mapping[str, str] | None = None,
    *,
    prefixes: tuple[str, ...] = (),
) -> S:
    """Read ``settings`` from ``source`` (default: the environment). A blank variable counts as absent.

    ``prefixes`` are ours: a variable that begins with one of them and is no setting of any process is refused, because
    a misspelt setting must not be silently ignored. Settings of other processes may be there: processes share
    environments.

    Raises ``ConfigurationError`` naming the variable, its value's fault and the remedy.
    """
    source = environment() if source is None else source
    names = variables(settings)
    for name in source:
        if name.startswith(prefixes) and prefixes and name not in names and name not in EVERY_SETTING:
            close = difflib.get_close_matches(name, sorted(EVERY_SETTING.union(names)), n=1)
            hint = f"did you mean {close[0]}?" if close else "remove it, or see `docfleet config`"
            raise ConfigurationError(f"unknown setting {name}: {hint}")
    values: dict[str, Any] = {name: source[name] for name in names if source.get(name, "").strip()}
    remember_settings(values)  # before anything can go wrong with them
    for field in msgspec.structs.fields(settings):
        if field.encode_name not in values:
            if field.required:
                raise ConfigurationError(f"setting {field.encode_name} is missing: set it in the environment")
            continue
        try:
            values[field.encode_name] = msgspec.convert(values[field.encode_name], field.type, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"setting {field.encode_name} is malformed: {str(error).lower()}") from error
    return msgspec.convert(values, settings)


def environment_of(process: str, source: Mapping[str, str]) -> dict[str, str]:
    """``source`` without the settings that a process does not read. What is no setting of ours stays.

    ``process`` is ``backend``, ``runner`` or a worker type; anything else reads no setting.
    """
    read = SETTINGS.get(process, frozenset())
    if process in set(WorkerType):
        read |= SETTINGS["worker"]
    return {name: value for name, value in source.items() if name in read or name not in EVERY_SETTING}


def check_key(name: str, value: str) -> None:
    """Refuse a key that is easy to guess. Raises ``ConfigurationError`` naming the setting and the remedy."""
    if value.strip().lower() in SAMPLE_KEYS:
        raise ConfigurationError(f"setting {name} holds a published sample value: make a random key of your own")
    if len(value) < MIN_KEY_LENGTH:
        raise ConfigurationError(
            f"setting {name} is too short: at least {MIN_KEY_LENGTH} characters, "
            "for example from `openssl rand -hex 32`"
        )


def set_default(name: str, value: str) -> None:
    """Set an environment variable that a library reads when it is imported, unless the user set it."""
    os.environ.setdefault(name, value)
