"""Routes of files that only the original's workers call."""

from __future__ import annotations

from typing import Any


def test_files_of_the_originals_workers(api: Any) -> None:
    run = api.run()
    body = {"execution_id": run.id, "file_hash": {"file_name": "a", "file_path": "p/a", "fs_metadata": None}}
    created = api.post("/internal/v1/file-execution/", body, status=201)
    assert api.post("/internal/v1/file-execution/", body, status=201) == created
    assert (created["status"], created["file_number"]) == ("PENDING", 1)
    found = api.get(f"/internal/v1/file-execution/?execution_id={run.id}&file_path=p/a")
    assert [row["id"] for row in found] == [created["id"]]
    path = f"/internal/v1/file-execution/{created['id']}"
    assert api.get(path)["file_name"] == "a"
    assert api.post(f"{path}/status/", {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(f"{path}/status/", {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(f"{path}/status/", {"status": "ERROR", "error_message": "why"})["status"] == "updated"
    late = api.post(f"{path}/status/", {"status": "COMPLETED"})
    assert (late["status"], late["reason"]) == ("skipped", "already_final")
    assert api.get(path)["execution_error"] == "why"
