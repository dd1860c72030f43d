"""``docfleet worker TYPE``."""

from __future__ import annotations

import sys

import click

from docfleet.core.names import WorkerType


@click.command("worker", epilog=f"TYPE is one of: {', '.join(WorkerType)}")
@click.argument("worker_type", metavar="TYPE", type=click.Choice([str(worker) for worker in WorkerType]))
@click.option("--concurrency", type=click.IntRange(min=1), help="Pool size; overrides CELERY_CONCURRENCY.")
def command(worker_type: str, concurrency: int | None) -> None:
    """Start one worker."""
    from docfleet.workers.launch import run

    sys.exit(run(WorkerType(worker_type), concurrency))
