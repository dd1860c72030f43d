"""``docfleet backend``."""

from __future__ import annotations

import click


@click.command("backend")
def command() -> None:
    """Serve the backend, which owns the data. `docfleet config backend` lists its settings."""
    from docfleet.backend.app import serve
    from docfleet.backend.settings import BackendSettings

    serve(BackendSettings.read())
