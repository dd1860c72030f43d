"""``docfleet worker TYPE``."""

from __future__ import annotations

import click

from docfleet.core.names import WorkerType


@click.command(
    "worker",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=f"TYPE is one of: {', '.join(WorkerType)}",
)
@click.argument("worker_type", metavar="TYPE", type=click.Choice([str(worker) for worker in WorkerType]))
@click.argument("celery_options", nargs=-1, type=click.UNPROCESSED)
def command(worker_type: str, celery_options: tuple[str, ...]) -> None:
    """Start one worker. What follows TYPE goes to Celery's own `worker` command (`--concurrency 8`, ...)."""
    from docfleet.workers.launch import run

    run(WorkerType(worker_type), list(celery_options))
