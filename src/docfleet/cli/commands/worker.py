"""``docfleet worker TYPE``."""

from __future__ import annotations

import click

from docfleet.core.names import WorkerType


@click.command("worker", epilog=f"TYPE is one of: {', '.join(WorkerType)}")
@click.argument("worker_type", metavar="TYPE", type=click.Choice([str(worker) for worker in WorkerType]))
@click.option("--concurrency", "-c", type=click.IntRange(min=1), help="Pool size, whatever the settings say.")
@click.option("--queues", "-Q", metavar="NAME,...", help="Consume only these queues of the type, not all of them.")
def command(worker_type: str, concurrency: int | None, queues: str | None) -> int:
    """Start one worker of TYPE. `docfleet config TYPE` lists its settings."""
    from docfleet.workers.launch import run

    return run(WorkerType(worker_type), concurrency, None if queues is None else queues.split(","))
