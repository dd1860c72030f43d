"""``GET /executions/{id}/files/{file}/evidence``: of a file below the storage root, or of an API's result."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.evidence import Box, DocumentEvidence, FieldEvidence, MatchKind
from docfleet.core.storage import evidence_folder
from tests.integration.backend.sweeps import sweep

FOUND = DocumentEvidence(
    fields={
        "/total": FieldEvidence(
            match=MatchKind.NORMALISED, page=2, boxes=[Box(1, 2, 3, 4)], quote="12,50", places=1, confidence=0.9
        )
    }
)

BUILT = msgspec.json.decode(msgspec.json.encode(FOUND))


def keep(root: Path, api: Any, run: Any, file: str, content: bytes | None = None) -> Path:
    folder = evidence_folder(root, api.organization, run.id)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{file}.json"
    path.write_bytes(content if content is not None else msgspec.json.encode(FOUND))
    return path


def done(api: Any) -> tuple[Any, str]:
    run = api.run(use_file_history=False).ready(1)
    run.report(run.take())
    return run, run.files()[0]["file_execution_id"]


def address(run: Any, file: str) -> str:
    return f"/api/v1/executions/{run.id}/files/{file}/evidence"


def test_evidence_is_read_from_the_storage(limited_api: Any, tmp_path: Path) -> None:
    api = limited_api(execution_storage_root=str(tmp_path))
    run, file = done(api)
    assert "no evidence" in api.get(address(run, file), status=404)["detail"]
    path = keep(tmp_path, api, run, file)
    found = api.get(address(run, file))
    assert found["evidence"] == BUILT and found["file_execution_id"] == file
    path.write_bytes(b"{")
    api.get(address(run, file), status=404)


def test_evidence_is_of_a_file_of_this_execution_and_organization(limited_api: Any, tmp_path: Path) -> None:
    api = limited_api(execution_storage_root=str(tmp_path))
    run, file = done(api)
    other, _ = done(api)
    keep(tmp_path, api, run, file)
    assert "not one of execution" in api.get(address(other, file), status=404)["detail"]
    api.other().get(address(run, file), status=404)
    waiting = api.run(use_file_history=False).ready(1)
    assert "no result" in api.get(address(waiting, waiting.files()[0]["file_execution_id"]), status=404)["detail"]


def test_evidence_goes_with_its_execution(limited_api: Any, tmp_path: Path) -> None:
    api = limited_api(execution_storage_root=str(tmp_path), execution_retention_days=7.0)
    run, file = done(api)
    path = keep(tmp_path, api, run, file)
    sweep(api)
    assert path.exists()
    api.write("UPDATE executions SET finished_at = finished_at - 8 * 86400 WHERE id = :e", e=run.id)
    sweep(api)
    assert not path.parent.exists()


def test_evidence_of_an_api_is_kept_with_its_result(api: Any, tmp_path: Path) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"))
    invoices.work(run)
    metadata = {"source_name": "a.txt", "tool_metadata": [{}], "evidence": BUILT}
    api.write(
        "UPDATE file_results SET metadata = :m WHERE execution_id = :e",
        m=msgspec.json.encode(metadata).decode(),
        e=run.id,
    )
    shutil.rmtree(tmp_path / "storage", ignore_errors=True)
    file = run.files()[0]["file_execution_id"]
    assert api.get(address(run, file))["evidence"] == BUILT
    assert "evidence" not in invoices.get(run, compat="false")["message"][0]["metadata"]
    asked = invoices.get(run, compat="false", include_metadata="true")["message"][0]
    assert asked["metadata"]["evidence"] == BUILT
    api.write("UPDATE executions SET finished_at = 1 WHERE id = :e", e=run.id)
    assert "expired" in api.get(address(run, file), status=404)["detail"]
