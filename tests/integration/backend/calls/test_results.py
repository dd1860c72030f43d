"""Results of a call: read once, and what is included."""

from __future__ import annotations

from typing import Any


def test_results_are_read_once_unless_the_caller_wants_the_native_format(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"))
    assert invoices.get(run, compat="false", status=202)["message"] is None
    invoices.work(run)
    for _ in range(2):
        assert invoices.get(run, compat="false")["message"][0]["status"] == "Success"
    assert invoices.get(run)["message"][0]["status"] == "Success"
    assert invoices.get(run, status=406) == {"status": "COMPLETED", "message": "Result already acknowledged"}
    assert invoices.get(run, compat="false")["message"][0]["status"] == "Success"
    api.write("UPDATE executions SET finished_at = 1 WHERE id = :e", e=run.id)
    invoices.get(run, compat="false", status=410)
    api.post("/internal/v1/sweep/")
    assert api.write("DELETE FROM file_results WHERE execution_id = :e", e=run.id) == 0


def test_what_is_included_is_what_was_requested(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"), custom_data='{"a": 1}', tags="june")
    assert api.recorder.sent[-1][2]["custom_data"] == {"a": 1}
    invoices.work(run)
    plain = invoices.get(run, compat="false")["message"][0]
    assert set(plain["result"]) == {"output"} and "extracted_text" not in plain
    assert plain["metadata"]["tags"] == ["june"] and plain["metadata"]["custom_data"] == {"a": 1}
    whole = invoices.get(
        run, compat="false", include_metadata="True", include_metrics="1", include_extracted_text="true"
    )["message"][0]
    assert whole["extracted_text"] == "text of a.txt" and whole["result"]["metrics"] == {"s": 1}
    assert whole["result"]["metadata"] == {} and whole["metadata"]["usage"]["total_tokens"] == 0
    assert api.get(f"/api/v1/executions/{run.id}/results")["results"][0]["extracted_text"] == "text of a.txt"
    context = api.get(f"{run.path}/")
    assert context["options"]["custom_data"] == {"a": 1} and context["source_config"]["is_api"] is True
