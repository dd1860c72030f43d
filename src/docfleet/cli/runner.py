"""``docfleet runner``."""

from __future__ import annotations

import click


@click.command("runner")
def command() -> None:
    """Serve the tool runner. `docfleet config runner` lists its settings."""
    from docfleet.core.settings import read_settings
    from docfleet.runner.app import serve
    from docfleet.runner.settings import RunnerSettings

    serve(read_settings(RunnerSettings))
