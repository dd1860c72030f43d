"""A Docfleet worker, as ``docfleet worker callback`` starts it, with one more task: ``sleeper`` takes its time.

``python sleeper.py FILE``: each start and end of a task is a line of FILE.
"""

from __future__ import annotations

import os
import sys
import time

from celery import shared_task

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.workers.launch import run


@shared_task(name="sleeper")
def sleeper(seconds: float) -> None:
    _note("start")
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(left)
    _note("end")


def _note(what: str) -> None:
    with open(sys.argv[1], "a") as stream:
        stream.write(f"{what} {os.getpid()}\n")


if __name__ == "__main__":
    try:
        sys.exit(run(WorkerType.CALLBACK))
    except ConfigurationError as error:
        print(f"refused: {error.message}", file=sys.stderr)
        sys.exit(2)
