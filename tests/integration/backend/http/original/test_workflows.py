"""Routes of workflows that only the original's workers call."""

from __future__ import annotations

from typing import Any


def test_the_originals_endpoints_answer(api: Any) -> None:
    workflow = api.workflow()
    root = "/internal/v1"
    definition = api.get(f"{root}/workflow-manager/workflow/{workflow}/")
    assert definition["workflow_type"] == "ETL"
    assert definition["source_config"]["connector_instance"]["connector_metadata"] == {"path": str(api.folder)}
    endpoints = api.get(f"{root}/workflow-manager/{workflow}/endpoint/")
    assert endpoints["has_api_endpoints"] is False
    assert endpoints["destination_endpoint"]["configuration"] == {"table": "rows"}
    steps = api.get(f"{root}/workflow-manager/workflow/{workflow}/tool-instances/")["tool_instances"]
    ids = [step["id"] for step in steps]
    valid = api.post(f"{root}/tool-execution/validate/", {"workflow_id": workflow, "tool_instances": ids})
    assert valid["success"] is True and valid["validated_instances"][0]["status"] == "valid"
    wrong = api.post(f"{root}/tool-execution/validate/", {"workflow_id": workflow, "tool_instances": ["x"]})
    assert wrong["success"] is False and wrong["errors"]
    assert api.get(f"{root}/tool-execution/tool/passthrough/")["tool"]["properties"]
    assert "error" in api.get(f"{root}/tool-execution/tool/unknown/")["tool"]
    assert api.get(f"{root}/health/")["status"] == "healthy"
    assert api.post(f"{root}/usage/batch/", {"records": []}) == {"created": 0}
    record = {"run_id": "r1", "adapter_instance_id": "a", "total_tokens": 5, "cost_in_dollars": 0.5}
    assert api.post(f"{root}/usage/batch/", {"records": [record, record]}, status=201) == {"created": 2}
    usage = api.get(f"{root}/usage/aggregated-token-count/r1/")["data"]["usage"]
    assert (usage["total_tokens"], usage["cost_in_dollars"]) == (10, 1.0)
