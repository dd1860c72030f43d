"""A database with results holds JSON and nothing in it is ever unpickled, with every Celery."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from tests.worker_environment import ENVIRONMENT

WORKER = """
import json, sys
from celery.result import AsyncResult
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
app = WorkerBuilder.build_celery_app(WorkerType.CALLBACK, worker_settings(WorkerType.CALLBACK, json.loads(sys.argv[1])))
app.conf.result_backend_always_retry = False
app.backend.store_result("ours", {"files": [1, "zwei", None]}, "SUCCESS")
try:
    raise ValueError("no such file")
except ValueError as error:
    app.backend.store_result("failed", error, "FAILURE", traceback="...")
assert app.backend.get_result("ours") == {"files": [1, "zwei", None]}
failed = AsyncResult("failed", app=app)
assert (failed.state, type(failed.result), str(failed.result)) == ("FAILURE", ValueError, "no such file")
for name in sys.argv[2:]:
    try:
        found = app.backend.get_task_meta(name)
    except Exception as error:
        print(f"refused {name}: {type(error).__name__}")
    else:
        print(f"read {name}: {found['result']!r}")
"""


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickled_row_is_refused_and_never_loaded(tmp_path: Path, protocol: int) -> None:
    database, canary = tmp_path / "results.db", tmp_path / "loaded"
    environment = {
        **ENVIRONMENT,
        "CELERY_BROKER_BASE_URL": "memory://",
        "CELERY_RESULT_BACKEND": f"db+sqlite:///{database}",
    }
    command = [sys.executable, "-c", WORKER, json.dumps(environment)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    hostile = str(uuid.uuid4())
    with closing(sqlite3.connect(database)) as rows:
        row = (hostile, "SUCCESS", pickle.dumps(Canary(canary), protocol))
        rows.execute("INSERT INTO celery_taskmeta (task_id, status, result) VALUES (?, ?, ?)", row)
        rows.commit()
        stored = dict(rows.execute("SELECT task_id, result FROM celery_taskmeta"))
    assert json.loads(stored["ours"]) == {"files": [1, "zwei", None]}
    done = subprocess.run([*command, hostile, "ours"], check=True, capture_output=True, text=True, timeout=60)
    assert f"refused {hostile}" in done.stdout
    assert "read ours" in done.stdout
    assert not canary.exists(), "the row was unpickled"
