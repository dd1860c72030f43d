"""The context of an execution: what a worker needs to know."""

from __future__ import annotations

from typing import Any


def test_a_claim_brings_the_context_when_it_is_requested(api: Any) -> None:
    run = api.run().ready(2)
    assert "context" not in run.claim(limit=1)
    claimed = run.claim(limit=1, with_context=True)
    given, asked = claimed["context"], api.get(f"{run.path}/")
    assert len(claimed["claims"]) == 1
    assert given["execution"]["id"] == run.id and given["tool_instances"][0]["tool_id"] == "passthrough"
    # The claim leaves defaults out.
    for part in ("source_config", "destination_config", "organization_context", "workflow_definition"):
        assert given[part].items() <= asked[part].items()
    # Not dispatched yet: a listing that breaks ends it.
    run = api.run()
    run.register(api.documents(1))
    run.finalize(error="the source broke")
    late = run.claim(with_context=True)
    assert late["stop"] and late["context"]["execution"]["status"] == "ERROR"


def test_the_context_says_everything_a_worker_needs(api: Any) -> None:
    source = api.spec()["source"] | {"maxFiles": 7, "fileExtensions": ["*.pdf"], "fileProcessingOrder": "oldest_first"}
    run = api.run(api.workflow(source=source, description="d"))
    context = api.get(f"{run.path}/")
    assert context["execution"]["status"] == "PENDING" and context["execution"]["workflow_name"] == "invoices"
    assert context["workflow_definition"]["workflow_type"] == "ETL"
    assert context["source_config"]["connection_type"] == "FILESYSTEM"
    assert context["source_config"]["connector_settings"] == {"path": str(api.folder)}
    settings = context["source_config"]["source_settings"]
    assert (settings["maxFiles"], settings["fileExtensions"], settings["fileProcessingOrder"]) == (
        7,
        ["*.pdf"],
        "oldest_first",
    )
    assert context["destination_config"]["connection_type"] == "DATABASE"
    assert context["destination_config"]["settings"] == {"table": "rows"}
    assert [(tool["tool_id"], tool["step"]) for tool in context["tool_instances"]] == [("passthrough", 1)]
    assert context["organization_context"]["organization_id"] == api.organization
    assert context["use_file_history"] is True
