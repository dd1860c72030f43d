"""Status updates of the original's workers."""

from __future__ import annotations

from typing import Any


def test_status_updates_of_the_originals_workers(api: Any) -> None:
    run = api.run().ready(2)
    path = f"{run.path}/update_status/"
    assert api.post(path, {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(path, {"status": "COMPLETED"}) == {
        "status": "skipped",
        "reason": "files_open",
        "execution_id": run.id,
        "new_status": "EXECUTING",
    }
    for wrong in (
        {"status": "DONE"},
        {"status": "COMPLETED", "successful_files": 1},
        {"status": "COMPLETED", "total_files": 1, "successful_files": 1, "failed_files": 1},
        {"status": "EXECUTING", "cascade_terminal_files": True},
    ):
        api.post(path, wrong, status=400)
    done = api.post(path, {"status": "COMPLETED", "total_files": 9, "cascade_terminal_files": True})
    assert done["status"] == "updated"
    info = run.state()["execution"]
    assert (info["status"], info["total_files"], info["successful_files"]) == ("COMPLETED", 2, 2)
    late = api.post(path, {"status": "ERROR", "error_message": "late"})
    assert (late["status"], late["reason"]) == ("skipped", "already_final")
    assert run.state()["execution"]["error_message"] == ""
    api.post(
        f"/internal/v1/workflow-execution/{'0' * 8}-0000-0000-0000-{'0' * 12}/update_status/",
        {"status": "ERROR"},
        status=404,
    )
