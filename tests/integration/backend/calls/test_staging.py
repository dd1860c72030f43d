"""Staged uploads: refused types, names in every script, and files that nobody needs any more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backend.calls.uploads import left_behind


def test_a_type_the_first_tool_does_not_take_fails_at_once(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from docfleet.backend.calls import manifest

    monkeypatch.setattr(manifest, "_allowed", lambda tools, tool: frozenset({"application/pdf"}))
    invoices = api.publish()
    run = invoices.call(("a.pdf", b"%PDF-1.4 x"), ("b.txt", b"plain words"))
    assert len([path for path in left_behind(api) if path.is_file()]) == 1
    invoices.work(run)
    good, bad = invoices.get(run)["message"]
    assert good["status"] == "Success" and bad["status"] == "Failed"
    assert bad["error"].startswith("unsupported file type: text/plain")


def test_a_call_of_refused_types_only_ends_at_once_without_a_worker(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from docfleet.backend.calls import manifest

    monkeypatch.setattr(manifest, "_allowed", lambda tools, tool: frozenset({"application/pdf"}))
    invoices = api.publish()
    message = invoices.post(("a.txt", b"one"), ("b.txt", b"two"), ("c.txt", b"one"), timeout="60", status=422)[
        "message"
    ]
    assert message["execution_status"] == "ERROR" and message["error"] is None
    assert [(item["file"], item["status"]) for item in message["result"]] == [
        (name, "Failed") for name in ("a.txt", "b.txt", "c.txt")
    ]
    assert all(item["error"].startswith("unsupported file type: text/plain") for item in message["result"])
    run = api.execution(message["execution_id"])
    assert run.state()["counts"]["ERROR"] == 2 and api.recorder.sent == [] and left_behind(api) == []


def test_files_stay_once_an_execution_has_them(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A backend that is told to end cancels the call; the execution is on its way all the same.
    def send(*args: Any) -> None:
        raise RuntimeError("the call ended here")

    monkeypatch.setattr(api.recorder, "send", send)
    api.publish().post(("a.txt", b"one"), status=500)
    (entry,) = api.get("/api/v1/executions")["executions"]
    assert entry["status"] == "PENDING" and [path.name for path in left_behind(api) if path.is_file()]


def test_names_in_every_script_are_kept(api: Any) -> None:
    invoices = api.publish()
    names = ["Rechnung Müller (2).pdf", "請求書.pdf", "a'b;c.pdf", "x" * 200 + ".txt"]
    run = invoices.call(*((name, name.encode()) for name in names))
    invoices.work(run)
    assert [item["file"] for item in invoices.get(run)["message"]] == names


def test_the_sweep_removes_what_a_dead_process_left(fresh_api: Any) -> None:
    invoices = fresh_api.publish()
    run = invoices.call(("a.txt", b"one"))
    mine = fresh_api.folder / "storage" / fresh_api.organization
    left, young = (mine / "w" / name / "uploads" for name in ("left", "young"))
    for folder in (left, young):
        folder.mkdir(parents=True)
        (folder / "0.part").write_bytes(b"x")
    running = next(path for path in mine.rglob("uploads") if run.id in path.parts)
    for folder in (left, running):
        os.utime(folder, (1, 1))
    fresh_api.post("/internal/v1/sweep/")
    assert not left.parent.exists() and young.exists() and running.exists()


def test_without_storage_calls_are_refused_with_the_remedy(tmp_path: Path) -> None:
    from docfleet.backend.calls.staging import Staging
    from docfleet.core.errors import DependencyError

    with pytest.raises(DependencyError, match="EXECUTION_STORAGE_ROOT"):
        Staging(None).area("o", "w", "e")


def test_content_is_taken_when_one_of_its_names_is_of_a_type_that_is_taken(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docfleet.backend.calls import manifest

    monkeypatch.setattr(manifest, "_allowed", lambda tools, tool: frozenset({"text/csv"}))
    invoices = api.publish()
    run = invoices.call(("a.txt", b"1,2"), ("a.csv", b"1,2"), ("b.txt", b"3,4"))
    invoices.work(run)
    items = invoices.get(run)["message"]
    assert [(item["file"], item["status"]) for item in items] == [
        ("a.txt", "Success"),
        ("a.csv", "Success"),
        ("b.txt", "Failed"),
    ]
    assert [item["metadata"]["source_name"] for item in items] == ["a.txt", "a.csv", "b.txt"]


def retry(run: Any, *, status: int | None = 201, **headers: str) -> Any:
    return run.api.post(f"/api/v1/executions/{run.id}/retry", status=status, **headers)


def again(run: Any, **headers: str) -> Any:
    return run.api.execution(retry(run, **headers)["execution_id"])


def uploads(api: Any, run: Any) -> Path:
    (found,) = uploads_of(api, run)
    return found


def uploads_of(api: Any, run: Any = None) -> list[Path]:
    """The folder of the run's uploads, or of all of them."""
    return list((api.folder / "storage" / api.organization).glob(f"*/{run.id if run else '*'}/uploads"))


def left(api: Any, run: Any) -> list[bytes]:
    """What is kept of the run's uploads."""
    found = (api.folder / "storage" / api.organization).glob(f"*/{run.id}/uploads/*")
    return sorted(path.read_bytes() for path in found)


def test_of_an_apis_files_those_that_succeeded_go_with_their_execution(api: Any) -> None:
    deployment = api.publish()
    run = deployment.call(("a.txt", b"a"), ("b.txt", b"b"), ("c.txt", b"c"))
    deployment.work(run, {"a.txt": "broken", "c.txt": "broken"})
    assert left(api, run) == [b"a", b"c"]
    good = deployment.call(("a.txt", b"a"))
    deployment.work(good)
    assert left(api, good) == [] and not uploads_of(api, good)
    stopped = deployment.call(("a.txt", b"a"), ("b.txt", b"b"))
    sent = next(args for _, args, _, _ in api.recorder.sent if args[2:3] == [stopped.id])
    stopped.ready(list(sent[3].values()))
    api.post(f"/api/v1/executions/{stopped.id}/stop?abandoned=true")
    assert left(api, stopped) == [b"a", b"b"]
    api.post("/internal/v1/sweep/")
    assert (left(api, run), left(api, stopped)) == ([b"a", b"c"], [b"a", b"b"])


def test_what_somebody_who_died_did_not_remove_goes_with_the_sweep(api: Any) -> None:
    deployment = api.publish()
    run = deployment.call(("a.txt", b"a"), ("b.txt", b"b"))
    (stray,) = [path for path in uploads(api, run).iterdir() if path.read_bytes() == b"b"]
    deployment.work(run, {"a.txt": "broken"})
    stray.write_bytes(b"b")
    api.post("/internal/v1/sweep/")
    assert left(api, run) == [b"a"]


def test_an_apis_files_are_gone_after_their_time_and_a_retry_says_so(limited_api: Any) -> None:
    api = limited_api(execution_result_ttl_seconds=1000)
    deployment = api.publish()
    run, young = deployment.call(("a.txt", b"a")), deployment.call(("a.txt", b"a"))
    for one in (run, young):
        deployment.work(one, {"a.txt": "broken"})
    api.write("UPDATE executions SET finished_at = finished_at - 1001 WHERE id = :e", e=run.id)
    api.post("/internal/v1/sweep/")
    assert not uploads_of(api, run) and left(api, young) == [b"a"]
    answer = retry(run, status=409)
    assert "uploaded files are gone" in answer["detail"] and "send them" in answer["detail"]
    assert len(uploads_of(api)) == 1, "a folder was left"


def test_an_apis_files_run_again_and_are_polled_under_the_new_id(api: Any) -> None:
    deployment = api.publish()
    run = deployment.call(("a.txt", b"a"), ("good.txt", b"good"), ("b.txt", b"b"), ("also-b.txt", b"b"))
    deployment.work(run, {"a.txt": "broken", "b.txt": "broken"})
    old = api.get(f"/api/v1/executions/{run.id}/results")["results"]
    new = again(run)
    assert left(api, new) == [b"a", b"b"]
    claims_before = [file["path"] for file in new.files()]
    assert all(new.id in path for path in claims_before), claims_before
    new.start()
    claims = new.take()
    results = [
        api.outcome(claim, result={"output": claim["file"]["file_name"], "metadata": {}, "metrics": {}})
        for claim in claims
    ]
    new.report(outcomes=results)
    found = api.get(f"/api/v1/executions/{new.id}/results")["results"]
    assert [(item["file"], item["status"]) for item in found] == [
        ("a.txt", "Success"),
        ("b.txt", "Success"),
        ("also-b.txt", "Success"),
    ]
    assert deployment.get(new)["message"]
    assert api.get(f"/api/v1/executions/{run.id}/results")["results"] == old
