"""Which backend a command calls: by options, else by the environment, else the ``docfleet dev`` of a data folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from docfleet.cli.embedded.data_folder import DEFAULT, announced
from docfleet.cli.embedded.system import Addresses
from docfleet.cli.management import ORGANIZATION_ID, ManagementClient
from docfleet.core.errors import ConfigurationError
from docfleet.core.management.keys import KEY_PREFIX
from docfleet.core.settings import read_settings


class ConnectionSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The settings of a connection that the environment may have."""

    docfleet_url: str | None = None
    """The backend that commands call. Unset, the running `docfleet dev` of the data folder."""
    docfleet_key: str | None = None
    """A key of the organization (`docfleet keys create --role ROLE` makes one), or the backend's internal key."""
    docfleet_organization: str | None = None
    """The organization that commands work in. Unset, the one of the key; for the internal key, `default`."""


def connected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a connection to a command; the command gets a ``ManagementClient`` as ``client``."""

    @wraps(function)
    def call(*args: Any, url: str | None, key: str | None, organization: str | None, data: Path, **rest: Any) -> Any:
        return function(*args, client=connect(url, key, organization, data), **rest)

    for option in (
        click.option("--data", type=click.Path(path_type=Path), default=DEFAULT, help="Data folder of `docfleet dev`."),
        click.option("--organization", help="Organization id, else DOCFLEET_ORGANIZATION, else the key's."),
        click.option("--key", help="A key of the organization, or the internal key; else DOCFLEET_KEY."),
        click.option("--url", help="The backend, else DOCFLEET_URL, else the running `docfleet dev`."),
    ):
        call = option(call)
    return call


def connect(url: str | None, key: str | None, organization: str | None, data: Path) -> ManagementClient:
    """A client. Raises ``ConfigurationError`` when the backend's address is unknown."""
    settings = read_settings(ConnectionSettings)
    running = announced(data) or {}
    url = url or settings.docfleet_url
    if url:
        key = key or settings.docfleet_key
        if not key:
            raise ConfigurationError("no key for the backend: give --key, or set DOCFLEET_KEY")
        _check_url(url)
    elif running:
        url, key = running["url"], key or running["key"]
    else:
        raise ConfigurationError(
            f"no Docfleet runs in {data}: start `docfleet dev`, or give --url and --key (DOCFLEET_URL, DOCFLEET_KEY)"
        )
    organization_id = organization or settings.docfleet_organization
    if not organization_id and not key.startswith(KEY_PREFIX):  # a key of an organization says which one
        organization_id = running.get("organization") or ORGANIZATION_ID
    for name, value in (("the key", key), ("the organization", organization_id or "")):
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"{name} has characters that no {name.removeprefix('the ')} has: copy it again")
    return ManagementClient(Addresses(url.rstrip("/"), "", key), organization_id)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        right = False
    if not right or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(f"--url is not an http address: {url!r}")
