"""Executions and their files are listed in pages."""

from __future__ import annotations

import time
from typing import Any


def test_executions_and_files_are_listed_in_pages(api: Any) -> None:
    workflow = api.workflow()
    runs = []
    for _ in range(5):
        runs.append(api.run(workflow).id)
        time.sleep(0.002)  # SQLite's clock counts milliseconds
    seen = []
    after = ""
    while True:
        answer = api.get(f"/api/v1/executions?workflow_id={workflow}&limit=2{after}")
        seen += [info["id"] for info in answer["executions"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert seen == runs[::-1]
    run = api.run(workflow).ready(5)
    run.report(run.take(2), status="ERROR")
    numbers = []
    after = ""
    while True:
        answer = api.get(f"/api/v1/executions/{run.id}/files?limit=2{after}")
        numbers += [file["file_number"] for file in answer["files"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert numbers == [1, 2, 3, 4, 5]
    failed = api.get(f"/api/v1/executions/{run.id}/files?status=ERROR")["files"]
    assert [file["error_code"] for file in failed] == ["tool_failed"] * 2
    assert [info["id"] for info in api.get("/api/v1/executions?status=EXECUTING")["executions"]] == [run.id]
    for wrong in ("limit=0", "limit=501", "after=-1", "status=DONE"):
        api.get(f"/api/v1/executions/{run.id}/files?{wrong}", status=400)
