"""The OpenAPI description, and whether it is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docfleet.backend.http import bodies
from tests.integration.backend.process import backend_process
from tests.integration.walk import filled

SECONDS = 60
BEYOND_A_SCHEMA = {
    "/api/v1/connectors/{name}/test": "the settings of the connector",
    "/api/v1/keys": "expires_at lies in the future",
    "/api/v1/pipelines/preview": "the numbers of a cron expression, and that jitter is less than its interval",
    "/api/v1/notifications": "settings of a provider, which a dry run checks",
    "/api/v1/organizations/{organization}/settings": "each setting has bounds of its own",
    "/api/v1/workflows": "settings of connectors and tools that are installed",
    "/internal/v1/workflow-execution/{execution_id}/update_status": "two counts are at most a third",
}
"""What is refused for a reason that no schema of the body can state."""


def test_the_description_needs_no_key_and_nothing_from_elsewhere(api: Any) -> None:
    schema = api.client.get("/schema/openapi.json")
    paths = schema.json()["paths"]
    assert schema.status_code == 200 and "/api/v1/workflows" in paths
    assert any(path.endswith("/files/report") for path in paths)
    page = api.client.get("/schema")
    assert page.status_code == 200 and "/api/v1/executions" in page.text
    assert "http://" not in page.text and "https://" not in page.text and "<script" not in page.text


def test_what_needs_no_key_is_marked_and_nothing_else(api: Any) -> None:
    description = api.client.get("/schema/openapi.json").json()
    open_operations = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            answer = api.client.request(method, filled(path), json={})
            needs_key = answer.status_code in (401, 403)
            assert needs_key or answer.status_code == 200, (path, answer.text)
            assert (operation.get("security", description["security"]) == []) is not needs_key, (method, path)
            open_operations += not needs_key
    assert open_operations == 2


def test_each_body_is_the_schema_of_the_struct_that_decodes_it(api: Any) -> None:
    description = api.client.get("/schema/openapi.json").json()
    components = description["components"]["schemas"]
    described = bodies.structs(api.client.app)
    assert len(described) > 25
    for kind in described:
        schema = components[kind.__name__]
        assert (schema.get("additionalProperties") is False) is kind.__struct_config__.forbid_unknown_fields, kind
        assert "allOf" in schema or not hasattr(kind, "json_rules"), kind
    assert components["FileStatusUpdate"]["properties"]["execution_time"]["anyOf"][0]["minimum"] == 0


@pytest.mark.slow
def test_what_the_description_allows_is_accepted(tmp_path: Path) -> None:
    """Each operation gets bodies, parameters and headers that its schema allows: none of them may be refused."""
    with backend_process(tmp_path) as backend:
        backend.put("/api/v1/organizations/o", {"name": "o"})
        excluded = [part for path in BEYOND_A_SCHEMA for part in ("--exclude-path", path)]
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "run"),
                f"http://127.0.0.1:{backend.port}/schema/openapi.json",
                *("--checks", "positive_data_acceptance,not_a_server_error", "--mode", "positive"),
                *("--include-path-regex", "^/(api/v1/(?!unstract)|internal/)", *excluded),
                *("--phases", "coverage,fuzzing", "--max-examples", "10", "--max-time", str(SECONDS), "--no-shrink"),
                *("--seed", "11"),
                *("--generation-database", "none", "--no-color", "--continue-on-failure"),
                *("-H", f"Authorization: Bearer {backend.key}", "-H", "X-Organization-ID: o"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
