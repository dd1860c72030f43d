"""``docfleet runner``."""

from __future__ import annotations

import click


@click.command("runner")
def command() -> None:
    """Serve the tool runner. `docfleet config runner` lists its settings."""
    from docfleet.runner.app import serve
    from docfleet.runner.settings import runner_settings

    serve(runner_settings())
