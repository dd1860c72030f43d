"""A Celery application whose tasks use a file system connector; ``test_prefork`` starts workers of it.

The environment says which connector, and whether the parent uses one before it forks.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import Any

from celery import Celery

from docfleet.connectors.base import FileSystemConnector, WriteFence
from docfleet.connectors.registry import open_file_system
from docfleet.core.errors import DocfleetError

FOLDER, CONNECTOR, TOUCHED = "PREFORK_FOLDER", "PREFORK_CONNECTOR", "PREFORK_TOUCHED"
SEED = b"seed" * 20_000
TASKS_PER_CHILD = 10


def application(folder: str) -> Celery:
    """The application with a broker and results in files of ``folder``."""
    queue = {"data_folder_in": f"{folder}/queue", "data_folder_out": f"{folder}/queue"}
    app = Celery("prefork", broker="filesystem://", backend=f"file://{folder}/results")
    app.conf.update(
        broker_transport_options=queue
        | {"control_folder": f"{folder}/control", "store_processed": False, "polling_interval": 0.02},
        broker_connection_retry_on_startup=False,
        worker_max_tasks_per_child=TASKS_PER_CHILD,
        worker_prefetch_multiplier=4,
        worker_hijack_root_logger=False,
    )
    return app


app = application(os.environ.get(FOLDER, "/nowhere"))
_parents: FileSystemConnector | None = None


def connect() -> FileSystemConnector:
    """A connector of this process."""
    name, settings = json.loads(os.environ[CONNECTOR])
    return open_file_system(name, settings)


if os.environ.get(TOUCHED):
    _parents = connect()
    assert [entry.path for entry in _parents.list_files("in", recursive=True)] == ["in/seed"]
    _parents.open("in/seed").close()


@app.task(name="work")
def work(number: int, can_write: bool) -> dict[str, Any]:
    """List, read and write with a connector of the task's own; or how that is refused."""
    try:
        files = connect()
        with files.open("in/seed") as content:
            is_complete = content.read() == SEED
        listed = [entry.path for entry in files.list_files("in", recursive=True)]
        if can_write:
            content = str(number).encode() * 1000
            fence = WriteFence(f"f{number}", 1, lambda: None)
            files.write_file(f"out/{number}", io.BytesIO(content), fence)
            files.write_file(f"gone/{number}", io.BytesIO(content), fence)
            assert files.withdraw_file(f"gone/{number}", hashlib.sha256(content).hexdigest(), fence)
        files.close()
    except DocfleetError as error:
        return {"pid": os.getpid(), "error": error.code, "message": error.message}
    return {"pid": os.getpid(), "error": None, "read": is_complete, "listed": listed}


@app.task(name="misuse")
def misuse(number: int, can_write: bool) -> dict[str, Any]:
    """Use the parent's connector: each method answers with an error or not at all."""
    assert _parents is not None
    files = _parents
    refused = []
    for use in (
        files.check,
        lambda: list(files.list_files("in", recursive=True)),
        lambda: files.open("in/seed"),
        lambda: files.write_file(f"out/{number}", io.BytesIO(b"x")),
        files.close,
    ):
        try:
            use()
            refused.append("not refused")
        except DocfleetError as error:
            refused.append(error.code)
            message = error.message
    return {"pid": os.getpid(), "parent": os.getppid(), "refused": refused, "message": message}
