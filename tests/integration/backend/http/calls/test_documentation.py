"""The description of the public API."""

from __future__ import annotations

from typing import Any


def test_what_a_call_may_answer_is_described(api: Any) -> None:
    invoices = api.publish()
    described = api.client.get("/schema/openapi.json").json()["paths"]["/deployment/api/{org_name}/{api_name}"]
    invoices.post(("a.txt", b"a"), query="?compat=false", status=202)
    run = invoices.last.json()["message"]["execution_id"]
    for method in ("get", "post"):
        assert "compat" in {parameter["name"] for parameter in described[method]["parameters"]}
        assert "202" in described[method]["responses"]
    invoices.get(run, status=202, compat="false")
